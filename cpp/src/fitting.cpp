#include "fitting.hpp"

#include <algorithm>

namespace drsformer {
namespace {

std::string side_text(int32_t least, int32_t most) {
    if (least == most) return std::to_string(least);
    return std::to_string(least) + " to " + (most ? std::to_string(most) : "any");
}

}  // namespace

Size Limits::enlarged(Size size) const {
    for (const std::size_t axis : {0U, 1U}) {
        if (least[axis] > multiple_of) size[axis] = std::max(size[axis], least[axis]);
    }
    return size;
}

std::optional<Tiling> Limits::tiling_for(Size size, int32_t overlap, Blend blend) const {
    Size exact = {};
    bool fits = true;
    for (const std::size_t axis : {0U, 1U}) {
        const int32_t padded = padded_length(size[axis]);
        exact[axis] = most[axis] ? std::min(padded, most[axis]) : padded;
        fits = fits && exact[axis] == padded;
    }
    if (fits) return std::nullopt;
    const auto [shorter, longer] = std::minmax(exact[0], exact[1]);
    Tiling tiling{longer, std::min(overlap, shorter / 2), blend, exact};
    check_tiling(tiling);
    return tiling;
}

std::string Limits::text() const {
    const std::string height = side_text(least[0], most[0]);
    const std::string width = side_text(least[1], most[1]);
    const bool both_fixed = least[0] == most[0] && least[1] == most[1];
    return height + (both_fixed ? "x" : " x ") + width;
}

}  // namespace drsformer
