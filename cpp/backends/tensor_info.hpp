// Fills the fixed-size descriptions of backend.h.
#ifndef DRSFORMER_BACKENDS_TENSOR_INFO_HPP
#define DRSFORMER_BACKENDS_TENSOR_INFO_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "backend.h"
#include "error_text.hpp"

namespace drsformer::backend {

constexpr std::int64_t any_size = -1;

// Copies a name, cut short if it has to be: no contract has one so long, so it is refused anyway.
inline void set_name(drs_tensor_info &info, std::string_view name) noexcept {
    const auto kept = cut(name, sizeof(info.name) - 1);
    std::memcpy(info.name, kept.data(), kept.size());
    info.name[kept.size()] = '\0';
}

// Sets rank and sizes; size(axis) is the size of an axis, or any_size.
template <typename Size>
void set_shape(drs_tensor_info &info, std::size_t rank, Size size) {
    info.rank = static_cast<std::int32_t>(rank);
    for (std::size_t axis = 0; axis < std::min<std::size_t>(rank, 4); ++axis) {
        info.shape[axis] = size(axis);
    }
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_TENSOR_INFO_HPP
