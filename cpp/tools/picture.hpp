// A decoded picture, and what its file had beside the pixels.
#ifndef DRSFORMER_TOOLS_PICTURE_HPP
#define DRSFORMER_TOOLS_PICTURE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "drsformer/derainer.h"

namespace drsformer::tool {

using Bytes = std::vector<std::uint8_t>;

// A part of a PNG file that is copied as it is, such as the colour profile or a text.
struct PngChunk {
    std::string name;
    Bytes data;
};

struct Picture {
    std::int32_t width = 0;
    std::int32_t height = 0;
    // DRS_GREY8, DRS_RGB8, DRS_RGBA8, or one of these with 16 bits.
    std::int32_t format = DRS_RGB8;
    // Rows without gaps; 16-bit samples are in the machine's byte order.
    Bytes pixels;
    // The alpha of a grey picture, which no format of the library holds; else empty.
    Bytes alpha;
    std::vector<PngChunk> chunks;
};

// The number of bytes of a sample, 1 or 2.
inline std::size_t sample_size(std::int32_t format) {
    return format == DRS_GREY16 || format == DRS_RGB16 || format == DRS_RGBA16 ? 2 : 1;
}

// The number of samples of a pixel.
inline std::size_t channels(std::int32_t format) {
    switch (format) {
        case DRS_GREY8:
        case DRS_GREY16:
            return 1;
        case DRS_RGBA8:
        case DRS_RGBA16:
            return 4;
        default:
            return 3;
    }
}

inline bool has_alpha(const Picture &picture) {
    return channels(picture.format) == 4 || !picture.alpha.empty();
}

// Whether the low byte of a 16-bit sample comes first on this machine.
inline bool is_little_endian() {
    const std::uint16_t one = 1;
    return *reinterpret_cast<const unsigned char *>(&one) == 1;
}

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PICTURE_HPP
