// How images of one size are derained: padded to what, and cut how.
#ifndef DRSFORMER_PLAN_HPP
#define DRSFORMER_PLAN_HPP

#include <optional>
#include <vector>

#include "model.hpp"
#include "tiling.hpp"
#include "whole_or_tiles.hpp"

namespace drsformer {

struct Plan {
    Size image = {};   // height and width, pixels
    Size padded = {};  // of the network's input, or of what is cut into tiles
    int32_t reason = DRS_WHOLE;
    bool enlarged = false;         // whether it is padded because the model takes no size so small
    std::optional<Tiling> tiling;  // nothing for a whole image
    Axis rows;                     // with tiling only
    Axis columns;
    std::vector<int32_t> y;  // for each row of `padded`, the image's row that it repeats
    std::vector<int32_t> x;

    // The size of the network's input.
    Size input() const { return tiling ? Size{rows.side, columns.side} : padded; }
};

// Makes plans for one model.
class Planner {
  public:
    Planner(Model &model, const Settings &settings)
        : model_(model), settings_(settings), by_memory_(model, settings) {}

    // Returns the plan of a size; the last one is kept. Throws Failure (DRS_SHAPE_ERROR) where the
    // tiling cannot be laid over an image of this size.
    //
    // bits  of a sample, 8 or 16
    const Plan &plan_for(Size image, int32_t bits);

  private:
    void choose_tiling(Plan &plan, Size fitted, int32_t bits);

    Model &model_;
    const Settings &settings_;
    WholeOrTiles by_memory_;
    Plan plan_;
};

}  // namespace drsformer

#endif  // DRSFORMER_PLAN_HPP
