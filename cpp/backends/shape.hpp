// The shape of a network's input, which is that of its output too.
#ifndef DRSFORMER_BACKENDS_SHAPE_HPP
#define DRSFORMER_BACKENDS_SHAPE_HPP

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "module_failure.hpp"

namespace drsformer::backend {

using Shape = std::array<std::int64_t, 4>;  // in the layout of the model

constexpr std::int64_t channels = 3;

// Returns the bytes of one element, 0 for a type that no model of ours has.
constexpr std::int64_t element_bytes(std::int32_t dtype) noexcept {
    switch (dtype) {
        case DRS_FLOAT32:
            return 4;
        case DRS_FLOAT16:
            return 2;
        case DRS_UINT8:
            return 1;
        default:
            return 0;
    }
}

// Returns the bytes of a tensor; fails where no tensor can have this shape and type.
inline std::size_t byte_count(const Shape &shape, std::int32_t dtype) {
    auto bytes = element_bytes(dtype);
    auto possible = bytes > 0;
    for (const auto size : shape) {
        possible = possible && size > 0 && !__builtin_mul_overflow(bytes, size, &bytes);
    }
    if (!possible) {
        throw Failure(DRS_SHAPE_ERROR,
                      "an input has sizes whose product is not one that a tensor can have; use "
                      "tiles, or fewer images at once");
    }
    return static_cast<std::size_t>(bytes);
}

// Returns the pixels of all images of a batch.
inline std::int64_t pixels_of(const Shape &shape) noexcept {
    return shape[0] * shape[1] * shape[2] * shape[3] / channels;
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_SHAPE_HPP
