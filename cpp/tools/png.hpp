// Reads and writes PNG files.
#ifndef DRSFORMER_TOOLS_PNG_HPP
#define DRSFORMER_TOOLS_PNG_HPP

#include <string>

#include "picture.hpp"

namespace drsformer::tool {

// Whether this program was built with libpng.
bool knows_png();

// Decodes a PNG file. Palettes become RGB, transparent colours alpha, and 1 to 4 bits 8.
Picture picture_from_png(const Bytes &file, const std::string &path);

// Encodes a picture, with the chunks that were read.
Bytes png_from_picture(const Picture &picture, const std::string &path);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PNG_HPP
