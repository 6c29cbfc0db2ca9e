#include "tiling.hpp"

#include <algorithm>
#include <string>

#include "contract.hpp"
#include "failure.hpp"

namespace drsformer {
namespace {

std::size_t index(int32_t number) {
    return static_cast<std::size_t>(number);
}

// Returns weights that rise from 1 by 1 over `overlap` pixels, stay, and fall again. They are
// linear, since two linear ramps already add up to the full weight where two tiles meet.
Weights ramps(int32_t side, int32_t overlap) {
    Weights weights(index(side));
    for (int32_t i = 0; i < side; ++i) {
        weights[index(i)] = std::min({i + 1, side - i, overlap + 1});
    }
    return weights;
}

std::vector<int32_t> starts_of(int32_t length, int32_t side, int32_t overlap) {
    std::vector<int32_t> starts;
    for (int32_t start = 0; start < length - side; start += side - overlap) {
        starts.push_back(start);
    }
    starts.push_back(length - side);
    return starts;
}

// Returns how many tiles cover each pixel of an axis.
std::vector<int32_t> covered(const std::vector<int32_t> &starts, int32_t length, int32_t side) {
    std::vector<int32_t> count(index(length));
    for (const int32_t start : starts) {
        for (int32_t i = 0; i < side; ++i) ++count[index(start + i)];
    }
    return count;
}

void add_tile(Axis &axis, int32_t start, const Weights &full, const std::vector<int32_t> &count) {
    Weights window = full;
    for (std::size_t i = 0; i < window.size(); ++i) {
        if (count[index(start) + i] == 1) window[i] = 1;
        axis.total[index(start) + i] += window[i];
    }
    const auto same = std::find(axis.kinds.begin(), axis.kinds.end(), window);
    axis.kind.push_back(static_cast<std::size_t>(same - axis.kinds.begin()));
    if (same == axis.kinds.end()) axis.kinds.push_back(std::move(window));
}

Axis axis_of(const Tiling &tiling, int32_t length, int32_t side) {
    Axis axis;
    axis.side = side;
    axis.starts = starts_of(length, side, tiling.overlap);
    axis.total.resize(index(length));
    const Weights full = ramps(side, tiling.blend == Blend::feather ? tiling.overlap : 0);
    const std::vector<int32_t> count = covered(axis.starts, length, side);
    for (const int32_t start : axis.starts) add_tile(axis, start, full, count);
    return axis;
}

}  // namespace

void check_tiling(const Tiling &tiling) {
    if (tiling.tile < multiple_of || tiling.tile % multiple_of != 0) {
        throw Failure(DRS_SHAPE_ERROR, "tile is " + std::to_string(tiling.tile) +
                                           " pixels; expected a positive multiple of " +
                                           std::to_string(multiple_of));
    }
    if (tiling.overlap < 0 || tiling.overlap >= tiling.tile) {
        throw Failure(DRS_SHAPE_ERROR, "overlap is " + std::to_string(tiling.overlap) +
                                           " pixels; expected 0 to " +
                                           std::to_string(tiling.tile - 1) + ", below the tile");
    }
}

std::pair<Axis, Axis> axes_of(const Tiling &tiling, int32_t height, int32_t width) {
    if (tiling.exact) {
        return {axis_of(tiling, height, (*tiling.exact)[0]),
                axis_of(tiling, width, (*tiling.exact)[1])};
    }
    if (tiling.blend == Blend::feather) {
        return {axis_of(tiling, height, std::min(tiling.tile, height)),
                axis_of(tiling, width, std::min(tiling.tile, width))};
    }
    const int32_t side = std::min({tiling.tile, height, width});
    if (side <= tiling.overlap && height != width) {
        throw Failure(DRS_SHAPE_ERROR, "an image, padded to " + std::to_string(height) + "x" +
                                           std::to_string(width) + ", leaves square tiles of " +
                                           std::to_string(side) +
                                           " pixels, not more than the overlap of " +
                                           std::to_string(tiling.overlap) +
                                           "; lower the overlap below " + std::to_string(side) +
                                           ", or blend by feather, whose tiles need not be square");
    }
    return {axis_of(tiling, height, side), axis_of(tiling, width, side)};
}

}  // namespace drsformer
