#include "plan.hpp"

namespace drsformer {
namespace {

// The image, what is made of it here, and the caller's own result: so many copies of its samples.
constexpr int64_t copies = 5;

int64_t held_bytes(Size fitted, int32_t bits) {
    return copies * fitted[0] * fitted[1] * channels * (bits / 8);
}

// Returns, for each pixel of a padded axis, the image's pixel: reflected once to the smallest side
// that the model takes, and from there to a multiple of 8.
std::vector<int32_t> sources(int32_t length, int32_t fitted, int32_t padded) {
    const std::vector<int32_t> first = reflected_sources(length, fitted);
    std::vector<int32_t> result = reflected_sources(fitted, padded);
    for (int32_t &source : result) source = first[static_cast<std::size_t>(source)];
    return result;
}

}  // namespace

const Plan &Planner::plan_for(Size image, int32_t bits) {
    if (plan_.image == image) return plan_;
    const Size fitted = model_.limits().enlarged(image);
    Plan plan;
    plan.image = image;
    plan.padded = {padded_length(fitted[0]), padded_length(fitted[1])};
    plan.enlarged = fitted != image;
    choose_tiling(plan, fitted, bits);
    if (plan.tiling) {
        std::tie(plan.rows, plan.columns) = axes_of(*plan.tiling, plan.padded[0], plan.padded[1]);
    }
    model_.check_size(plan.input());
    plan.y = sources(image[0], fitted[0], plan.padded[0]);
    plan.x = sources(image[1], fitted[1], plan.padded[1]);
    plan_ = std::move(plan);
    return plan_;
}

void Planner::choose_tiling(Plan &plan, Size fitted, int32_t bits) {
    const int32_t tile = settings_.tile;
    if (tile > 0) {
        plan.tiling = Tiling{tile, settings_.overlap, settings_.blend, std::nullopt};
        plan.reason = DRS_TILES_ASKED;
    } else if (!model_.limits().any_size()) {
        plan.tiling = model_.limits().tiling_for(fitted, settings_.overlap, settings_.blend);
        plan.reason = plan.tiling ? DRS_TILES_MODEL : DRS_WHOLE;
    } else if (tile == DRS_TILE_AUTO) {
        plan.tiling = by_memory_.tiling_for(plan.padded, held_bytes(fitted, bits));
        plan.reason = plan.tiling ? DRS_TILES_MEMORY : DRS_WHOLE;
    }
}

}  // namespace drsformer
