#include "option_values.hpp"

#include <charconv>
#include <system_error>

#include "failure.hpp"

namespace drsformer::tool {

using std::string_view;

void refuse_value(string_view option, string_view value, const std::string &expected) {
    throw UsageError(std::string(option) + " is '" + std::string(value) + "'; expected " +
                     expected);
}

bool reads_number(string_view text, std::int32_t least, std::int32_t &number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number >= least;
}

std::int32_t number_from(string_view option, string_view value, std::int32_t least) {
    std::int32_t number = 0;
    if (!reads_number(value, least, number)) {
        refuse_value(option, value, "a whole number from " + std::to_string(least) + " on");
    }
    return number;
}

}  // namespace drsformer::tool
