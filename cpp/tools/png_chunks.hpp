// The chunks that a PNG file consists of, read without decoding the picture.
#ifndef DRSFORMER_TOOLS_PNG_CHUNKS_HPP
#define DRSFORMER_TOOLS_PNG_CHUNKS_HPP

#include <string>
#include <vector>

#include "picture.hpp"

namespace drsformer::tool {

// What a PNG file says before its pixels are decoded.
struct PngOutline {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    // What belongs to the picture whatever its pixels are: colour space, resolution, EXIF, texts.
    std::vector<PngChunk> kept;
};

// Reads the chunks and checks them; throws Failure for a file that is damaged, cut off or an
// animation.
PngOutline png_outline(const Bytes &file, const std::string &path);

// The sentence for a damaged file.
std::string damaged_png(const std::string &path);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PNG_CHUNKS_HPP
