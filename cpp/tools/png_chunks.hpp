// The chunks that a PNG file consists of, read without decoding the picture.
#ifndef DRSFORMER_TOOLS_PNG_CHUNKS_HPP
#define DRSFORMER_TOOLS_PNG_CHUNKS_HPP

#include <string>
#include <vector>

#include "picture.hpp"

namespace drsformer::tool {

// Checks all chunks and returns those that belong to the picture whatever its pixels are: colour
// space, resolution, EXIF, texts. Throws Failure for a file that is damaged, cut off or an
// animation.
std::vector<PngChunk> kept_png_chunks(const Bytes &file, const std::string &path);

// The sentence for a damaged file.
std::string damaged_png(const std::string &path);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PNG_CHUNKS_HPP
