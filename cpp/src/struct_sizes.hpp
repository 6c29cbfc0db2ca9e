// The sizes of the public structs in their first version, which a program may still have. A struct
// that grows keeps its number here, and its new fields are looked at only where struct_size covers
// them.
#ifndef DRSFORMER_STRUCT_SIZES_HPP
#define DRSFORMER_STRUCT_SIZES_HPP

#include <cstdint>

#include "drsformer/derainer.h"

namespace drsformer {

template <typename Struct>
constexpr uint32_t first_size = 0;
template <>
inline constexpr uint32_t first_size<drs_options> = 80;
template <>
inline constexpr uint32_t first_size<drs_image> = 56;
template <>
inline constexpr uint32_t first_size<drs_call> = 24;
template <>
inline constexpr uint32_t first_size<drs_info> = 80;
template <>
inline constexpr uint32_t first_size<drs_plan> = 24;
template <>
inline constexpr uint32_t first_size<drs_timings> = 24;
template <>
inline constexpr uint32_t first_size<drs_camera_counts> = 48;

}  // namespace drsformer

#endif  // DRSFORMER_STRUCT_SIZES_HPP
