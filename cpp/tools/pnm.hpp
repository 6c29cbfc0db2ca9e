// Reads and writes binary PPM and PGM files, which need no library.
#ifndef DRSFORMER_TOOLS_PNM_HPP
#define DRSFORMER_TOOLS_PNM_HPP

#include <string>

#include "picture.hpp"

namespace drsformer::tool {

// Decodes a binary PPM or PGM file of 8 or 16 bits.
Picture picture_from_pnm(const Bytes &file, const std::string &path);

// Encodes a picture: PGM for a grey one, else PPM. Throws Failure for one with alpha.
Bytes pnm_from_picture(const Picture &picture, const std::string &path);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PNM_HPP
