// Fits images of any size to a model that does not take every size; runtime/fitting.py is the same
// in Python. A side shorter than the model takes is padded by reflection, and the result is
// cropped; a longer one is cut into tiles of the longest side that the model takes.
#ifndef DRSFORMER_FITTING_HPP
#define DRSFORMER_FITTING_HPP

#include <optional>
#include <string>

#include "contract.hpp"
#include "tiling.hpp"

namespace drsformer {

// The sizes that a model takes.
struct Limits {
    Size least = {multiple_of, multiple_of};  // the smallest sides, pixels
    Size most = {0, 0};                       // the largest sides; 0 where any is taken

    // Whether images of every size are taken whole.
    bool any_size() const { return most[0] == 0 && most[1] == 0; }

    // Returns the size that an image is padded to where it is too small.
    Size enlarged(Size size) const;

    // Returns how to cut an image that is too large for the model; nothing where it is not.
    std::optional<Tiling> tiling_for(Size size, int32_t overlap, Blend blend) const;

    // Returns "512x512", or "64 to 512 x 64 to any": height first.
    std::string text() const;
};

}  // namespace drsformer

#endif  // DRSFORMER_FITTING_HPP
