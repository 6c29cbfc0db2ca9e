// Reads the values of options: names and numbers.
#ifndef DRSFORMER_TOOLS_OPTION_VALUES_HPP
#define DRSFORMER_TOOLS_OPTION_VALUES_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "drsformer/derainer.h"

namespace drsformer::tool {

struct Name {
    std::string_view name;
    std::int32_t value;
};

inline constexpr std::array raw_formats = {
    Name{"rgb24", DRS_RGB8},   Name{"bgr24", DRS_BGR8}, Name{"gray", DRS_GREY8},
    Name{"yuyv422", DRS_YUYV}, Name{"nv12", DRS_NV12},  Name{"rgb48le", DRS_RGB16},
};
inline constexpr std::array matrices = {Name{"bt601", DRS_BT601}, Name{"bt709", DRS_BT709},
                                        Name{"bt2020", DRS_BT2020}};
inline constexpr std::array ranges = {Name{"limited", DRS_LIMITED_RANGE},
                                      Name{"full", DRS_FULL_RANGE}};
inline constexpr std::array blends = {Name{"uniform", DRS_BLEND_UNIFORM},
                                      Name{"feather", DRS_BLEND_FEATHER}};

// Throws UsageError for a value, and says what was expected.
[[noreturn]] void refuse_value(std::string_view option, std::string_view value,
                               const std::string &expected);

// Whether a text is a whole number, no smaller than `least`.
bool reads_number(std::string_view text, std::int32_t least, std::int32_t &number);

// The number that a value is; throws UsageError.
std::int32_t number_from(std::string_view option, std::string_view value, std::int32_t least);

// The number behind one of some names; throws UsageError.
template <typename Names>
std::int32_t one_of(const Names &names, std::string_view option, std::string_view value) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const Name &one) { return one.name == value; });
    if (found != names.end()) {
        return found->value;
    }
    std::string expected;
    for (const Name &one : names) {
        expected += (expected.empty() ? "" : ", ") + std::string(one.name);
    }
    refuse_value(option, value, "one of " + expected);
}

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_OPTION_VALUES_HPP
