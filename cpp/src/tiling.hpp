// Where the tiles of an image lie, and what each of their pixels weighs; runtime/tiling.py is the
// same in Python.
//
//     uniform   the authors' rule: tiles are square, no larger than the image's shorter side, and
//               averaged where they overlap
//     feather   our rule: tiles are cut to the image along each axis, and weigh less and less
//               towards their edges, so that no seams remain
//
// Weights are whole numbers, so that levels can be blended without a rounding on the way.
#ifndef DRSFORMER_TILING_HPP
#define DRSFORMER_TILING_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace drsformer {

using Size = std::array<int32_t, 2>;  // height and width, pixels
using Weights = std::vector<int64_t>;

enum class Blend { uniform, feather };

// Where the tiles lie along one axis of the padded image, and what each pixel weighs.
struct Axis {
    int32_t side = 0;               // of each tile, pixels
    std::vector<int32_t> starts;    // first pixel of each tile; the last tile ends with the image
    std::vector<Weights> kinds;     // the different weights of tiles, each of `side` numbers
    std::vector<std::size_t> kind;  // for each tile, which of them it has
    Weights total;                  // the sum of all tiles' weights at each pixel

    // The weights of a tile's pixels, at least 1; 1 where no other tile lies.
    const Weights &window(std::size_t tile) const { return kinds[kind[tile]]; }

    // The pixel after the last one that tile `tile` finishes.
    int32_t finished(std::size_t tile) const {
        return tile + 1 < starts.size() ? starts[tile + 1] : static_cast<int32_t>(total.size());
    }
};

// How to cut images.
struct Tiling {
    int32_t tile = 0;      // longest side of a tile, pixels; a multiple of 8
    int32_t overlap = 32;  // pixels that neighbouring tiles share at least; below `tile`
    Blend blend = Blend::uniform;
    std::optional<Size> exact = {};  // of every tile, for a model that takes no others

    bool operator==(const Tiling &other) const {
        return tile == other.tile && overlap == other.overlap && blend == other.blend &&
               exact == other.exact;
    }
};

// Throws Failure (DRS_SHAPE_ERROR) for settings that fit no image.
void check_tiling(const Tiling &tiling);

// Lays tiles over a padded image; returns its axes of height and of width. Throws Failure
// (DRS_SHAPE_ERROR) where uniform tiles, cut to the shorter side, would not exceed the overlap.
std::pair<Axis, Axis> axes_of(const Tiling &tiling, int32_t height, int32_t width);

}  // namespace drsformer

#endif  // DRSFORMER_TILING_HPP
