// Fills the network's input from RGB rows, and takes its output apart.
#ifndef DRSFORMER_FEED_HPP
#define DRSFORMER_FEED_HPP

#include <array>
#include <cstdint>
#include <vector>

#include "contract.hpp"
#include "plan.hpp"

namespace drsformer {

// An image as RGB rows without gaps.
struct Rgb {
    const void *samples;  // uint8_t, or uint16_t where bits is 16
    Size size;
    int32_t bits;
};

// Where a part of a padded image begins, and its size, pixels.
struct Part {
    int32_t top;
    int32_t left;
    Size size;
};

// Knows how a model's values are stored.
class Feed {
  public:
    explicit Feed(const Contract &contract);

    // Writes a part of a padded image to the place of one image in the network's input.
    void fill(const Rgb &image, const Plan &plan, const Part &part, void *input, int64_t place);

    // Returns the values of one image of a float network's output, (3, height, width).
    const float *values(const void *output, Size size, int64_t place);

    // Returns the levels of one image of a network that gives pixels, (height, width, 3).
    const uint8_t *levels(const void *output, Size size, int64_t place) const;

    // Takes the image out of one image of the output, as RGB rows of its own bits.
    void take(const void *output, const Plan &plan, int64_t place, int32_t bits, void *rgb);

  private:
    template <typename Level, typename Value, typename Convert>
    void fill_planes(const Rgb &image, const Plan &plan, const Part &part, Value *input,
                     Convert convert) const;
    template <typename Level>
    void take_values(const float *values, const Plan &plan, Level *rgb) const;

    int32_t dtype_;
    std::array<float, 256> values_of_bytes_;  // of each 8-bit level
    std::array<uint16_t, 256> halves_of_bytes_;
    std::vector<float> unpacked_;  // an output of half precision
};

}  // namespace drsformer

#endif  // DRSFORMER_FEED_HPP
