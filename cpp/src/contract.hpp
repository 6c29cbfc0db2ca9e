// What goes into the network and what comes out; drsformer/contract.py is the same in Python.
//
//     image  uint8 or uint16, RGB
//       -> divided by the type's maximum, in float32
//       -> padded right and bottom by reflection to multiples of 8
//     input  float32 or float16 (N, 3, H', W'), [0, 1]
//       -> network ->
//     output of the same type and shape, not clamped
//       -> clamped to [0, 1], cropped, times the type's maximum, rounded half to even
//     image  of the input's type and size
//
// A model exported with --io uint8 takes and gives pixels, uint8 (N, H', W', 3), padded as above.
#ifndef DRSFORMER_CONTRACT_HPP
#define DRSFORMER_CONTRACT_HPP

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend.h"

namespace drsformer {

constexpr int32_t channels = 3;
constexpr int32_t multiple_of = 8;  // the sides of an input are multiples of this, pixels

// The interface that a model's file promises.
struct Contract {
    std::string input_name;
    std::string output_name;
    int32_t dtype = DRS_FLOAT32;  // of both tensors: DRS_FLOAT32, DRS_FLOAT16 or DRS_UINT8

    // Whether the model takes and gives 8-bit pixels, so that nothing is scaled.
    bool takes_pixels() const { return dtype == DRS_UINT8; }
};

// Reads a contract and checks that this version can keep it; source is the file's name. Throws
// Failure (DRS_MODEL_ERROR).
Contract contract_from_json(std::string_view text, const std::string &source);

// Returns "float32", "float16", "uint8", or "another type".
const char *dtype_text(int32_t dtype);

// Returns the shape of an input of a contract's layout.
std::array<int64_t, 4> input_shape(const Contract &contract, int64_t images, int32_t height,
                                   int32_t width);

// Rounds a length up to the next multiple.
constexpr int32_t padded_length(int32_t length, int32_t multiple = multiple_of) {
    return (length + multiple - 1) / multiple * multiple;
}

// Returns, for each pixel of a padded axis, the image's pixel that it repeats. Reflection does not
// repeat the edge, and goes to and fro where the padding is longer than the side.
std::vector<int32_t> reflected_sources(int32_t length, int32_t padded);

}  // namespace drsformer

#endif  // DRSFORMER_CONTRACT_HPP
