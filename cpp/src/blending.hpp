// Joins the results of overlapping tiles: the mean by weight, at each value; runtime/blending.py is
// the same in Python.
//
// Both classes sum a row of tiles in one band as wide as the image. The part of it that no later
// row touches is taken out, and the band moves down. Their memory is kept for the next image.
#ifndef DRSFORMER_BLENDING_HPP
#define DRSFORMER_BLENDING_HPP

#include <cstdint>
#include <vector>

#include "tiling.hpp"

namespace drsformer {

// The values of a float network, (3, height, width); they are rounded to levels after the mean.
class FloatBand {
  public:
    // Begins an image; the axes must outlive it.
    void begin(const Axis &rows, const Axis &columns);

    // Adds a tile's output, (3, side, side), by the numbers of its row and its column.
    void add(const float *output, std::size_t row, std::size_t column);

    // Gives the rows from top to bottom, which are finished, as levels, and moves down.
    //
    // levels  of type uint8_t or uint16_t, (bottom - top, width, 3), without gaps
    // width   of the image, which may be narrower than the padded one
    template <typename Level>
    void take(int32_t top, int32_t bottom, int32_t width, Level *levels);

  private:
    void move(int32_t rows);

    const Axis *rows_ = nullptr;
    const Axis *columns_ = nullptr;
    std::vector<float> sums_;  // (3, side of a tile, padded width)
};

// The levels of a network that gives 8-bit pixels, (height, width, 3). The sums are whole numbers
// and the quotient is rounded half to even, so there is one right result, in any language.
class PixelBand {
  public:
    void begin(const Axis &rows, const Axis &columns);
    void add(const uint8_t *output, std::size_t row, std::size_t column);
    void take(int32_t top, int32_t bottom, int32_t width, uint8_t *levels);

  private:
    void move(int32_t rows);

    const Axis *rows_ = nullptr;
    const Axis *columns_ = nullptr;
    std::vector<uint64_t> sums_;  // (side of a tile, padded width, 3)
};

}  // namespace drsformer

#endif  // DRSFORMER_BLENDING_HPP
