#include "pnm.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "failure.hpp"
#include "megapixels.hpp"

namespace drsformer::tool {
namespace {

bool is_space(std::uint8_t byte) {
    return std::isspace(byte) != 0;
}

[[noreturn]] void refuse_damaged(const std::string &path) {
    throw Failure(path + ": a damaged or cut-off PPM or PGM file; copy it again from its source");
}

// Reads the numbers of the header, which comments may interrupt.
class Header {
  public:
    Header(const Bytes &file, const std::string &path) : file_(file), path_(path) {}

    std::uint32_t number() {
        skip_space();
        constexpr std::uint64_t most = 1000000000;  // larger than any that is taken
        std::uint64_t value = 0;
        const std::size_t start = place_;
        for (; std::isdigit(peek()) != 0; ++place_) {
            value = std::min(most, value * 10 + (peek() - std::uint64_t{'0'}));
        }
        if (place_ == start) {
            refuse_damaged(path_);
        }
        return static_cast<std::uint32_t>(value);
    }

    // The place of the first sample: one white space comes before it.
    std::size_t end() {
        if (!is_space(peek())) {
            refuse_damaged(path_);
        }
        return place_ + 1;
    }

  private:
    std::uint8_t peek() const { return place_ < file_.size() ? file_[place_] : std::uint8_t{0}; }

    void skip_space() {
        while (is_space(peek()) || peek() == '#') {
            if (peek() == '#') {
                const auto line_end = std::find(file_.begin() + offset(), file_.end(), '\n');
                place_ = static_cast<std::size_t>(line_end - file_.begin());
            } else {
                ++place_;
            }
        }
    }

    std::ptrdiff_t offset() const { return static_cast<std::ptrdiff_t>(place_); }

    const Bytes &file_;
    const std::string &path_;
    std::size_t place_ = 2;  // behind "P5" or "P6"
};

// Exchanges the bytes of 16-bit samples where the machine's order is not the file's.
void swap_samples(std::uint8_t *bytes, std::size_t size) {
    if (is_little_endian()) {
        for (std::size_t i = 0; i + 1 < size; i += 2) {
            std::swap(bytes[i], bytes[i + 1]);
        }
    }
}

std::int32_t format_of(bool grey, std::uint32_t most, const std::string &path) {
    if (most != 255 && most != 65535) {
        throw Failure(path + ": its largest sample is " + std::to_string(most) +
                      "; expected 255 or 65535, save it with one of them");
    }
    if (most == 65535) {
        return grey ? DRS_GREY16 : DRS_RGB16;
    }
    return grey ? DRS_GREY8 : DRS_RGB8;
}

// Reads all but the pixels; `start` becomes the place of the first.
Picture picture_of_header(const Bytes &file, const std::string &path, std::size_t &start) {
    Header header(file, path);
    const std::uint32_t width = header.number();
    const std::uint32_t height = header.number();
    const std::uint32_t most = header.number();
    start = header.end();
    if (width == 0 || height == 0) {
        refuse_damaged(path);
    }
    check_megapixels(width, height, path);
    Picture picture;
    picture.width = static_cast<std::int32_t>(width);
    picture.height = static_cast<std::int32_t>(height);
    picture.format = format_of(file[1] == '5', most, path);
    return picture;
}

std::size_t pixel_bytes(const Picture &picture) {
    return static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) *
           channels(picture.format) * sample_size(picture.format);
}

// Throws for what follows the pixels: such a file may hold several pictures one after the other.
void check_end(const Bytes &file, std::size_t end, const std::string &path) {
    const auto rest = file.begin() + static_cast<std::ptrdiff_t>(end);
    if (!std::all_of(rest, file.end(), is_space)) {
        throw Failure(path +
                      ": has more bytes than its pixels take; expected one picture, save "
                      "each as its own file");
    }
}

}  // namespace

Picture picture_from_pnm(const Bytes &file, const std::string &path) {
    std::size_t start = 0;
    Picture picture = picture_of_header(file, path, start);
    const std::size_t size = pixel_bytes(picture);
    if (file.size() < start || file.size() - start < size) {
        refuse_damaged(path);
    }
    check_end(file, start + size, path);
    const auto first = file.begin() + static_cast<std::ptrdiff_t>(start);
    picture.pixels.assign(first, first + static_cast<std::ptrdiff_t>(size));
    if (sample_size(picture.format) == 2) {
        swap_samples(picture.pixels.data(), size);
    }
    return picture;
}

Bytes pnm_from_picture(const Picture &picture, const std::string &path) {
    if (has_alpha(picture)) {
        throw Failure(path + ": PPM and PGM hold no transparency; choose a name that ends in .png");
    }
    const bool wide = sample_size(picture.format) == 2;
    const std::string header = (channels(picture.format) == 1 ? "P5\n" : "P6\n") +
                               std::to_string(picture.width) + " " +
                               std::to_string(picture.height) + (wide ? "\n65535\n" : "\n255\n");
    Bytes file(header.begin(), header.end());
    file.insert(file.end(), picture.pixels.begin(), picture.pixels.end());
    if (wide) {
        swap_samples(file.data() + header.size(), file.size() - header.size());
    }
    return file;
}

}  // namespace drsformer::tool
