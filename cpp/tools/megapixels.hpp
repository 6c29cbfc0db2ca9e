// The limit of a picture's size. A small file can hold a huge picture: a PNG of 2.6 MB may have 900
// megapixels. So what is too large is refused before its pixels take memory.
#ifndef DRSFORMER_TOOLS_MEGAPIXELS_HPP
#define DRSFORMER_TOOLS_MEGAPIXELS_HPP

#include <cstdint>
#include <string>

#include "failure.hpp"

namespace drsformer::tool {

constexpr std::uint64_t most_megapixels = 500;

// Throws Failure for more pixels than the limit; `what` begins the sentence.
inline void check_megapixels(std::uint64_t width, std::uint64_t height, const std::string &what) {
    if (width > most_megapixels * 1000000 || width * height > most_megapixels * 1000000) {
        throw Failure(what + ": " + std::to_string(width) + " x " + std::to_string(height) +
                      " pixels are more than the limit of " + std::to_string(most_megapixels) +
                      " megapixels; cut it into parts");
    }
}

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_MEGAPIXELS_HPP
