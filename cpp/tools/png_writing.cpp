#include <png.h>

#include <csetjmp>
#include <cstring>
#include <exception>
#include <new>

#include "failure.hpp"
#include "libpng.hpp"
#include "png.hpp"

namespace drsformer::tool {
namespace {

void write_bytes(png_structp png, png_bytep data, std::size_t size) {
    auto *file = static_cast<Bytes *>(png_get_io_ptr(png));
    try {
        file->insert(file->end(), data, data + size);
        return;
    } catch (const std::exception &) {
        // reported below: no jump may leave a handler
    }
    png_error(png, "out of memory");
}

// How a picture's pixels lie in a file.
struct Layout {
    png_uint_32 width;
    png_uint_32 height;
    int bits;
    int colour_type;
};

class Writer {
  public:
    explicit Writer(Bytes &file)
        : png_(png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, on_png_error,
                                       on_png_warning)) {
        info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
        if (info_ == nullptr) {
            png_destroy_write_struct(&png_, nullptr);
            throw std::bad_alloc();
        }
        png_set_write_fn(png_, &file, write_bytes, nullptr);
        png_set_user_limits(png_, most_png_side, most_png_side);
    }
    ~Writer() { png_destroy_write_struct(&png_, &info_); }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;

    bool write(const Layout &layout, const std::vector<PngChunk> &chunks, png_bytepp rows) {
        if (setjmp(png_jmpbuf(png_)) != 0) {
            return false;
        }
        png_set_IHDR(png_, info_, layout.width, layout.height, layout.bits, layout.colour_type,
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png_, info_);
        for (const PngChunk &chunk : chunks) {
            png_write_chunk(png_, reinterpret_cast<png_const_bytep>(chunk.name.data()),
                            chunk.data.data(), chunk.data.size());
        }
        if (layout.bits == 16 && is_little_endian()) {
            png_set_swap(png_);
        }
        png_write_image(png_, rows);
        png_write_end(png_, nullptr);
        return true;
    }

  private:
    png_structp png_;
    png_infop info_;
};

// The pixels as the file holds them: with the alpha of grey ones.
Bytes packed(const Picture &picture) {
    if (picture.alpha.empty()) {
        return picture.pixels;
    }
    const std::size_t size = sample_size(picture.format);
    const std::size_t count = picture.pixels.size() / size;
    Bytes pairs(2 * count * size);
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&pairs[2 * i * size], &picture.pixels[i * size], size);
        std::memcpy(&pairs[(2 * i + 1) * size], &picture.alpha[i * size], size);
    }
    return pairs;
}

int colour_type_of(const Picture &picture) {
    if (channels(picture.format) == 1) {
        return picture.alpha.empty() ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_GRAY_ALPHA;
    }
    return has_alpha(picture) ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB;
}

}  // namespace

Bytes png_from_picture(const Picture &picture, const std::string &path) {
    Bytes pixels = packed(picture);
    std::vector<png_bytep> rows = rows_of(pixels, static_cast<std::size_t>(picture.height));
    const Layout layout{static_cast<png_uint_32>(picture.width),
                        static_cast<png_uint_32>(picture.height),
                        sample_size(picture.format) == 2 ? 16 : 8, colour_type_of(picture)};
    Bytes file;
    Writer writer(file);
    if (!writer.write(layout, picture.chunks, rows.data())) {
        throw Failure(path + ": libpng cannot encode the result; the memory may be full");
    }
    return file;
}

}  // namespace drsformer::tool
