// Decides whether an image is derained whole or in tiles, by the memory that is free;
// runtime/whole_or_tiles.py is the same in Python.
//
// Nothing is decided where memory is not that of the CPU, or not known: images are then derained
// whole. A decision holds for the images of one size that follow each other.
#ifndef DRSFORMER_WHOLE_OR_TILES_HPP
#define DRSFORMER_WHOLE_OR_TILES_HPP

#include <array>
#include <optional>

#include "model.hpp"
#include "settings.hpp"
#include "tiling.hpp"

namespace drsformer {

// What a run takes beyond the opened model.
struct Need {
    double fixed;      // bytes for any size
    double per_pixel;  // bytes for each pixel of the padded image

    double bytes_of(int64_t pixels) const {
        return fixed + per_pixel * static_cast<double>(pixels);
    }
};

// Decides for one model; what it has measured is kept.
class WholeOrTiles {
  public:
    WholeOrTiles(Model &model, const Settings &settings) : model_(model), settings_(settings) {}

    // Returns how to cut an image so that it fits into the free memory; nothing for a whole one.
    //
    // padded  the size of the image, padded
    // bytes   of the image and what is made of it here
    std::optional<Tiling> tiling_for(Size padded, int64_t bytes);

  private:
    std::optional<Tiling> decided(Size padded, double held);
    std::optional<Tiling> fitting(Size padded, double held, double free);
    double bytes_of(int64_t pixels);
    int32_t largest_side(Size padded, double most_bytes, bool &fits);
    void say_once(Size padded, double whole, double free, int32_t side, bool fits);

    Model &model_;
    const Settings &settings_;
    std::array<std::optional<Need>, 2> needs_;  // by whether it is one of large inputs
    Size size_ = {};
    std::optional<Tiling> tiling_;
    bool said_ = false;
    bool blind_ = false;  // it could not be measured
};

}  // namespace drsformer

#endif  // DRSFORMER_WHOLE_OR_TILES_HPP
