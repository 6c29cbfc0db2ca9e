#include <png.h>

#include <csetjmp>
#include <cstring>
#include <new>
#include <utility>

#include "failure.hpp"
#include "libpng.hpp"
#include "megapixels.hpp"
#include "png.hpp"
#include "png_chunks.hpp"

namespace drsformer::tool {
namespace {

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

class Reader {
  public:
    explicit Reader(Source &source)
        : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, on_png_error,
                                      on_png_warning)) {
        info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
        if (info_ == nullptr) {
            png_destroy_read_struct(&png_, nullptr, nullptr);
            throw std::bad_alloc();
        }
        png_set_read_fn(png_, &source, read_bytes);
        png_set_user_limits(png_, most_png_side, most_png_side);
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

    std::size_t width() const { return png_get_image_width(png_, info_); }
    std::size_t height() const { return png_get_image_height(png_, info_); }
    std::size_t row_size() const { return png_get_rowbytes(png_, info_); }
    int channels() const { return png_get_channels(png_, info_); }
    int bits() const { return png_get_bit_depth(png_, info_); }

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

}  // namespace

bool knows_png() {
    return true;
}

Picture picture_from_png(const Bytes &file, const std::string &path) {
    Picture picture;
    picture.chunks = kept_png_chunks(file, path);
    Source source{file.data(), file.size()};
    Reader reader(source);
    if (!reader.read_header()) {
        throw Failure(damaged_png(path));
    }
    check_megapixels(reader.width(), reader.height(), path);
    picture.width = static_cast<std::int32_t>(reader.width());
    picture.height = static_cast<std::int32_t>(reader.height());
    picture.format = format_of(reader.channels(), reader.bits());
    picture.pixels.resize(reader.row_size() * reader.height());
    std::vector<png_bytep> rows = rows_of(picture.pixels, reader.height());
    if (!reader.read_pixels(rows.data())) {
        throw Failure(damaged_png(path));
    }
    if (reader.channels() == 2) {
        split_alpha(picture);
    }
    return picture;
}

}  // namespace drsformer::tool
