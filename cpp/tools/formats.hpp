// Tells what a file holds by its first bytes, whatever its name says.
#ifndef DRSFORMER_TOOLS_FORMATS_HPP
#define DRSFORMER_TOOLS_FORMATS_HPP

#include <string>

#include "picture.hpp"

namespace drsformer::tool {

enum class Format { png, pnm };

// The number of first bytes that tell a format.
constexpr std::size_t longest_start = 16;

// Whether a file that begins so, or is called so, is a picture or video of any kind; those that
// cannot be read count too.
bool looks_like_media(const Bytes &start, const std::string &path);

// The format of a file; throws Failure for one that is not read, which says what it is.
Format format_from_bytes(const Bytes &file, const std::string &path);

// The format that a name asks for; throws Failure for a name that asks for none.
Format format_from_name(const std::string &path);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_FORMATS_HPP
