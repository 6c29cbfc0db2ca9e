// The caller's pixels in their many formats, and the rows of RGB that the network needs.
#ifndef DRSFORMER_PIXELS_HPP
#define DRSFORMER_PIXELS_HPP

#include <cstdint>

#include "drsformer/derainer.h"
#include "tiling.hpp"

namespace drsformer {

static_assert(sizeof(std::size_t) >= 8, "sizes of images are multiplied without a check");

constexpr int32_t longest_side = 1 << 20;  // pixels: no picture has more, and sums cannot overflow

// A checked view of the caller's pixels, with every default filled in.
struct View {
    int32_t format = 0;
    Size size = {};  // height and width, pixels
    uint8_t *data = nullptr;
    std::size_t stride = 0;
    uint8_t *chroma = nullptr;  // NV12's second plane
    std::size_t chroma_stride = 0;
    int32_t matrix = DRS_BT601;
    int32_t range = DRS_LIMITED_RANGE;

    int32_t height() const { return size[0]; }
    int32_t width() const { return size[1]; }
    int32_t bits() const;           // of a sample: 8 or 16
    std::size_t row_bytes() const;  // of the first plane, without a gap
    const uint8_t *row(int32_t y) const { return data + static_cast<std::size_t>(y) * stride; }
    uint8_t *row(int32_t y) { return data + static_cast<std::size_t>(y) * stride; }
};

// Checks what a caller gave; `what` names it in messages, such as "the rainy image". Throws Failure
// (DRS_INVALID_ARGUMENT or DRS_SHAPE_ERROR).
View view_of(const drs_image *image, const char *what);

// Checks that a result of `rainy` may be written to `clean`: equal in size and bits, and either the
// very same pixels or apart from them. Throws Failure.
void check_pair(const View &rainy, const View &clean);

// Whether the memory of two views, from the first byte of a plane to its last, overlaps.
bool overlap(const View &one, const View &other);

// Reads an image as RGB rows without gaps: uint8_t or uint16_t samples, as bits() says.
void read_rgb(const View &view, void *rgb);

// Writes RGB rows, as read_rgb gives them, in the view's format. Alpha is that of `rainy`, where
// both have one, or opaque.
void write_rgb(const void *rgb, const View &rainy, View clean);

}  // namespace drsformer

#endif  // DRSFORMER_PIXELS_HPP
