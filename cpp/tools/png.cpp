// libpng reports an error by a long jump. Functions that a jump may leave hold no object with a
// destructor; what they work on belongs to their callers.
#include "png.hpp"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <memory>
#include <new>

#include "failure.hpp"
#include "megapixels.hpp"
#include "png_chunks.hpp"

namespace drsformer::tool {
namespace {

constexpr png_uint_32 most_side = 0x7fffffff;

[[noreturn]] void on_error(png_structp png, png_const_charp) {
    png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

// The part of a file that is not read yet.
struct Source {
    const std::uint8_t *next;
    std::size_t left;
};

void read_bytes(png_structp png, png_bytep target, std::size_t size) {
    auto *source = static_cast<Source *>(png_get_io_ptr(png));
    if (size > source->left) {
        png_error(png, "cut off");
    }
    std::memcpy(target, source->next, size);
    source->next += size;
    source->left -= size;
}

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

class Reader {
  public:
    explicit Reader(Source &source)
        : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, on_error, on_warning)) {
        info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
        if (info_ == nullptr) {
            png_destroy_read_struct(&png_, nullptr, nullptr);
            throw std::bad_alloc();
        }
        png_set_read_fn(png_, &source, read_bytes);
        png_set_user_limits(png_, most_side, most_side);
    }
    ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
    Reader(const Reader &) = delete;
    Reader &operator=(const Reader &) = delete;

    // Reads up to the pixels and chooses how they are given.
    bool read_header() {
        if (setjmp(png_jmpbuf(png_)) != 0) {
            return false;
        }
        png_read_info(png_, info_);
        png_set_expand(png_);  // palettes, transparent colours, less than 8 bits
        if (png_get_bit_depth(png_, info_) == 16 && is_little_endian()) {
            png_set_swap(png_);
        }
        png_set_interlace_handling(png_);
        png_read_update_info(png_, info_);
        return true;
    }

    bool read_pixels(png_bytepp rows) {
        if (setjmp(png_jmpbuf(png_)) != 0) {
            return false;
        }
        png_read_image(png_, rows);
        png_read_end(png_, nullptr);
        return true;
    }

    int channels() const { return png_get_channels(png_, info_); }
    int bits() const { return png_get_bit_depth(png_, info_); }

  private:
    png_structp png_;
    png_infop info_;
};

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
        : png_(png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, on_error, on_warning)) {
        info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
        if (info_ == nullptr) {
            png_destroy_write_struct(&png_, nullptr);
            throw std::bad_alloc();
        }
        png_set_write_fn(png_, &file, write_bytes, nullptr);
        png_set_user_limits(png_, most_side, most_side);
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

// The format of a picture without the alpha of grey ones.
std::int32_t format_of(int channels, int bits) {
    const bool wide = bits == 16;
    if (channels <= 2) {
        return wide ? DRS_GREY16 : DRS_GREY8;
    }
    if (channels == 3) {
        return wide ? DRS_RGB16 : DRS_RGB8;
    }
    return wide ? DRS_RGBA16 : DRS_RGBA8;
}

std::vector<png_bytep> rows_of(Bytes &pixels, std::size_t height) {
    std::vector<png_bytep> rows(height);
    for (std::size_t row = 0; row < height; ++row) {
        rows[row] = pixels.data() + row * (pixels.size() / height);
    }
    return rows;
}

// Splits pairs of grey and alpha.
void split_alpha(Picture &picture) {
    const std::size_t size = sample_size(picture.format);
    const std::size_t count = picture.pixels.size() / 2 / size;
    Bytes grey(count * size);
    picture.alpha.resize(count * size);
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&grey[i * size], &picture.pixels[2 * i * size], size);
        std::memcpy(&picture.alpha[i * size], &picture.pixels[(2 * i + 1) * size], size);
    }
    picture.pixels = std::move(grey);
}

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

bool knows_png() {
    return true;
}

Picture picture_from_png(const Bytes &file, const std::string &path) {
    PngOutline outline = png_outline(file, path);
    check_megapixels(outline.width, outline.height, path);
    Source source{file.data(), file.size()};
    Reader reader(source);
    if (!reader.read_header()) {
        throw Failure(damaged_png(path));
    }
    Picture picture;
    picture.width = static_cast<std::int32_t>(outline.width);
    picture.height = static_cast<std::int32_t>(outline.height);
    picture.format = format_of(reader.channels(), reader.bits());
    picture.chunks = std::move(outline.kept);
    picture.pixels.resize(static_cast<std::size_t>(reader.channels()) *
                          sample_size(picture.format) * outline.width * outline.height);
    std::vector<png_bytep> rows = rows_of(picture.pixels, outline.height);
    if (!reader.read_pixels(rows.data())) {
        throw Failure(damaged_png(path));
    }
    if (reader.channels() == 2) {
        split_alpha(picture);
    }
    return picture;
}

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
