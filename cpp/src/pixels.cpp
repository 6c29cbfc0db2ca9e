#include "pixels.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "camera_frames.hpp"
#include "contract.hpp"
#include "failure.hpp"
#include "struct_sizes.hpp"

namespace drsformer {
namespace {

// Where the channels of a packed format lie.
struct Layout {
    int32_t samples;  // of a pixel
    int32_t bytes;    // of a sample
    int32_t red;      // number of the sample of red; blue is at the other end
    int32_t alpha;    // number of the sample, -1 where there is none
};

bool is_camera_frame(int32_t format) {
    return format == DRS_YUYV || format == DRS_NV12;
}

bool is_format(int32_t format) {
    return format >= DRS_RGB8 && format <= DRS_NV12;
}

Layout layout_of(int32_t format) {
    switch (format) {
        case DRS_RGB8:
            return {3, 1, 0, -1};
        case DRS_BGR8:
            return {3, 1, 2, -1};
        case DRS_RGBA8:
            return {4, 1, 0, 3};
        case DRS_BGRA8:
            return {4, 1, 2, 3};
        case DRS_GREY8:
            return {1, 1, 0, -1};
        case DRS_RGB16:
            return {3, 2, 0, -1};
        case DRS_BGR16:
            return {3, 2, 2, -1};
        case DRS_RGBA16:
            return {4, 2, 0, 3};
        case DRS_BGRA16:
            return {4, 2, 2, 3};
        case DRS_GREY16:
            return {1, 2, 0, -1};
        default:  // YUYV: two bytes a pixel. NV12: one in the first plane
            return {format == DRS_YUYV ? 2 : 1, 1, 0, -1};
    }
}

[[noreturn]] void refuse(drs_status status, const std::string &message) {
    throw Failure(status, message);
}

std::string size_text(Size size) {
    return std::to_string(size[1]) + "x" + std::to_string(size[0]);
}

// Returns the bytes from the first of a plane to the last; refuses what no address space holds.
std::size_t plane_bytes(std::size_t stride, int32_t rows, std::size_t row, const char *what) {
    constexpr std::size_t most = static_cast<std::size_t>(PTRDIFF_MAX);
    const auto gaps = static_cast<std::size_t>(rows) - 1;
    if (row > most || (gaps > 0 && stride > (most - row) / gaps)) {
        refuse(DRS_SHAPE_ERROR, std::string(what) + " has more bytes than can be addressed; " +
                                    "expected a width, a height and a stride of real pixels");
    }
    return gaps * stride + row;
}

void check_stride(std::size_t stride, const View &view, const char *what) {
    if (stride >= view.row_bytes()) return;
    refuse(DRS_INVALID_ARGUMENT, std::string(what) + " has a stride of " + std::to_string(stride) +
                                     " bytes; expected at least the " +
                                     std::to_string(view.row_bytes()) + " of its rows, or 0");
}

// Checks what only 16-bit formats and camera frames have.
void check_format(const View &view, const char *what) {
    const bool odd_address = reinterpret_cast<std::uintptr_t>(view.data) % 2 != 0;
    if (view.bits() == 16 && (odd_address || view.stride % 2 != 0)) {
        refuse(DRS_INVALID_ARGUMENT, std::string(what) +
                                         " has samples of 16 bits at an odd "
                                         "address; expected an even address and "
                                         "an even stride");
    }
    const bool odd = view.width() % 2 != 0 || (view.format == DRS_NV12 && view.height() % 2 != 0);
    if (is_camera_frame(view.format) && odd) {
        refuse(DRS_SHAPE_ERROR, std::string(what) + " is " + size_text(view.size) +
                                    (view.format == DRS_YUYV ? "; expected an even width of YUYV"
                                                             : "; expected even sides of NV12"));
    }
    if (is_camera_frame(view.format) &&
        (view.matrix < DRS_BT601 || view.matrix > DRS_BT2020 || view.range < DRS_LIMITED_RANGE ||
         view.range > DRS_FULL_RANGE)) {
        refuse(DRS_INVALID_ARGUMENT, std::string(what) + " has matrix " +
                                         std::to_string(view.matrix) + " and range " +
                                         std::to_string(view.range) +
                                         "; expected DRS_BT601, DRS_BT709 or DRS_BT2020, and "
                                         "DRS_LIMITED_RANGE or DRS_FULL_RANGE");
    }
}

// Fills in the second plane of NV12.
void place_chroma(View &view, const drs_image &image, const char *what) {
    view.chroma_stride = image.chroma_stride ? image.chroma_stride : view.stride;
    check_stride(view.chroma_stride, view, what);
    plane_bytes(view.chroma_stride, view.height(), view.row_bytes(), what);
    view.chroma = image.chroma ? static_cast<uint8_t *>(image.chroma)
                               : view.data + static_cast<std::size_t>(view.height()) * view.stride;
}

// The planes of a view, as ranges of addresses.
struct Range {
    std::uintptr_t first;
    std::uintptr_t end;
};

Range range_of(const uint8_t *data, std::size_t stride, int32_t rows, std::size_t row) {
    const auto first = reinterpret_cast<std::uintptr_t>(data);
    return {first, first + (static_cast<std::size_t>(rows) - 1) * stride + row};
}

std::array<Range, 2> ranges_of(const View &view) {
    const Range plane = range_of(view.data, view.stride, view.height(), view.row_bytes());
    if (view.format != DRS_NV12) return {plane, plane};
    return {plane, range_of(view.chroma, view.chroma_stride, view.height() / 2, view.row_bytes())};
}

bool same_pixels(const View &one, const View &other) {
    return one.data == other.data && one.stride == other.stride && one.format == other.format &&
           one.chroma == other.chroma && one.chroma_stride == other.chroma_stride;
}

template <typename Sample>
const Sample *samples(const uint8_t *row) {
    return reinterpret_cast<const Sample *>(row);
}

template <typename Sample>
void read_row(const uint8_t *row, int32_t width, const Layout &layout, Sample *rgb) {
    const Sample *pixel = samples<Sample>(row);
    const auto red = static_cast<std::size_t>(layout.red);
    const std::size_t blue = layout.samples == 1 ? 0 : 2 - red;
    const std::size_t green = layout.samples == 1 ? 0 : 1;
    for (int32_t x = 0; x < width; ++x, pixel += layout.samples) {
        *rgb++ = pixel[red];
        *rgb++ = pixel[green];
        *rgb++ = pixel[blue];
    }
}

// Returns the luma of BT.601 in 15 bits, as OpenCV computes it.
template <typename Sample>
Sample luma(const Sample *rgb) {
    const uint32_t sum = rgb[0] * 9798U + rgb[1] * 19235U + rgb[2] * 3735U;
    return static_cast<Sample>((sum + (1U << 14)) >> 15);
}

template <typename Sample>
void write_row(const Sample *rgb, int32_t width, const Layout &layout, uint8_t *row) {
    auto *pixel = reinterpret_cast<Sample *>(row);
    const auto red = static_cast<std::size_t>(layout.red);
    for (int32_t x = 0; x < width; ++x, pixel += layout.samples, rgb += channels) {
        if (layout.samples == 1) {
            *pixel = luma(rgb);
            continue;
        }
        pixel[red] = rgb[0];
        pixel[1] = rgb[1];
        pixel[2 - red] = rgb[2];
    }
}

// Copies the alpha of a row; null stands for an opaque one.
template <typename Sample>
void write_alpha(const uint8_t *from, const Layout &source, int32_t width, const Layout &layout,
                 uint8_t *row) {
    auto *alpha = reinterpret_cast<Sample *>(row) + layout.alpha;
    for (int32_t x = 0; x < width; ++x, alpha += layout.samples) {
        *alpha = from ? samples<Sample>(from)[x * source.samples + source.alpha] : Sample(-1);
    }
}

template <typename Sample>
void read_packed(const View &view, Sample *rgb) {
    const Layout layout = layout_of(view.format);
    const auto values = static_cast<std::size_t>(view.width()) * channels;
    for (int32_t y = 0; y < view.height(); ++y, rgb += values) {
        if (view.format == DRS_RGB8 || view.format == DRS_RGB16) {
            std::memcpy(rgb, view.row(y), values * sizeof(Sample));
        } else {
            read_row(view.row(y), view.width(), layout, rgb);
        }
    }
}

template <typename Sample>
void write_packed(const Sample *rgb, const View &rainy, View &clean) {
    const Layout layout = layout_of(clean.format);
    const Layout source = layout_of(rainy.format);
    const auto values = static_cast<std::size_t>(clean.width()) * channels;
    const bool in_place = clean.data == rainy.data;
    for (int32_t y = 0; y < clean.height(); ++y, rgb += values) {
        if (layout.alpha >= 0 && !in_place) {
            const uint8_t *from = source.alpha >= 0 ? rainy.row(y) : nullptr;
            write_alpha<Sample>(from, source, clean.width(), layout, clean.row(y));
        }
        write_row(rgb, clean.width(), layout, clean.row(y));
    }
}

}  // namespace

int32_t View::bits() const {
    return format >= DRS_RGB16 && format <= DRS_GREY16 ? 16 : 8;
}

std::size_t View::row_bytes() const {
    const Layout layout = layout_of(format);
    return static_cast<std::size_t>(width()) * static_cast<std::size_t>(layout.samples) *
           static_cast<std::size_t>(layout.bytes);
}

View view_of(const drs_image *image, const char *what) {
    const std::string name(what);
    if (!image) refuse(DRS_INVALID_ARGUMENT, name + " is a null pointer; expected a drs_image");
    if (image->struct_size < first_size<drs_image>) {
        refuse(DRS_INVALID_ARGUMENT, name + " has struct_size " +
                                         std::to_string(image->struct_size) +
                                         "; expected sizeof(drs_image), as drs_image_of sets it");
    }
    if (!image->data) refuse(DRS_INVALID_ARGUMENT, name + " has no pixels: data is a null pointer");
    if (!is_format(image->format)) {
        refuse(DRS_INVALID_ARGUMENT, name + " has format " + std::to_string(image->format) +
                                         "; expected one of DRS_RGB8 (1) to DRS_NV12 (12)");
    }
    if (image->width < 1 || image->height < 1) {
        refuse(DRS_SHAPE_ERROR, name + " is " + size_text({image->height, image->width}) +
                                    "; expected at least one pixel");
    }
    if (image->width > longest_side || image->height > longest_side) {
        refuse(DRS_SHAPE_ERROR, name + " is " + size_text({image->height, image->width}) +
                                    "; expected at most " + std::to_string(longest_side) +
                                    " pixels a side");
    }
    View view;
    view.format = image->format;
    view.size = {image->height, image->width};
    view.data = static_cast<uint8_t *>(image->data);
    view.matrix = image->matrix;
    view.range = image->range;
    view.stride = image->stride ? image->stride : view.row_bytes();
    check_stride(view.stride, view, what);
    plane_bytes(view.stride, view.height(), view.row_bytes(), what);
    check_format(view, what);
    if (view.format == DRS_NV12) place_chroma(view, *image, what);
    const auto [luma, chroma] = ranges_of(view);
    if (view.format == DRS_NV12 && luma.first < chroma.end && chroma.first < luma.end) {
        refuse(DRS_INVALID_ARGUMENT, name + " has its chroma inside its luma; expected two planes");
    }
    return view;
}

void check_pair(const View &rainy, const View &clean) {
    if (rainy.size != clean.size || rainy.bits() != clean.bits()) {
        refuse(DRS_SHAPE_ERROR, "the rainy image is " + size_text(rainy.size) + " of " +
                                    std::to_string(rainy.bits()) + " bits, and the clean one " +
                                    size_text(clean.size) + " of " + std::to_string(clean.bits()) +
                                    " bits; expected the same");
    }
    if (!same_pixels(rainy, clean) && overlap(rainy, clean)) {
        refuse(DRS_INVALID_ARGUMENT,
               "the buffers of the rainy and the clean image overlap; expected two buffers, or the "
               "same data, stride and format for both");
    }
}

bool overlap(const View &one, const View &other) {
    for (const Range &a : ranges_of(one)) {
        for (const Range &b : ranges_of(other)) {
            if (a.first < b.end && b.first < a.end) return true;
        }
    }
    return false;
}

void read_rgb(const View &view, void *rgb) {
    if (is_camera_frame(view.format)) {
        read_frame(view, static_cast<uint8_t *>(rgb));
    } else if (view.bits() == 16) {
        read_packed(view, static_cast<uint16_t *>(rgb));
    } else {
        read_packed(view, static_cast<uint8_t *>(rgb));
    }
}

void write_rgb(const void *rgb, const View &rainy, View clean) {
    if (is_camera_frame(clean.format)) {
        write_frame(static_cast<const uint8_t *>(rgb), clean);
    } else if (clean.bits() == 16) {
        write_packed(static_cast<const uint16_t *>(rgb), rainy, clean);
    } else {
        write_packed(static_cast<const uint8_t *>(rgb), rainy, clean);
    }
}

}  // namespace drsformer
