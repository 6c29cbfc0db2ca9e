// Other people's text, such as a library's error, made fit for a sentence of ours.
#ifndef DRSFORMER_ONE_LINE_HPP
#define DRSFORMER_ONE_LINE_HPP

#include <cstddef>
#include <string>
#include <string_view>

namespace drsformer {

// Returns text without line breaks and control characters, in valid UTF-8, and not longer than
// limit bytes.
std::string one_line(std::string_view text, std::size_t limit = 600);

}  // namespace drsformer

#endif  // DRSFORMER_ONE_LINE_HPP
