#include "contract.hpp"

#include <nlohmann/json.hpp>

#include "failure.hpp"

namespace drsformer {
namespace {

using nlohmann::json;

constexpr std::size_t longest_text = 65536;  // a contract has some 400 characters
constexpr int deepest = 8;

// In Python's order, in which they are checked.
constexpr const char *fields[] = {"input_name",   "output_name", "layout",      "color",
                                  "dtype",        "value_range", "multiple_of", "padding",
                                  "output_range", "rounding"};

// Made when it is first needed: a program may open a model before its own globals are ready.
const json &float_contract() {
    static const json contract = {
        {"input_name", "input"},
        {"output_name", "output"},
        {"layout", "NCHW"},
        {"color", "RGB"},
        {"dtype", "float32"},
        {"value_range", {0.0, 1.0}},
        {"multiple_of", multiple_of},
        {"padding", "reflect right and bottom, crop after"},
        {"output_range", "clamp after"},
        {"rounding", "half to even"},
    };
    return contract;
}

// Returns the contract that this version knows for an element type.
json known_contract(const json &dtype) {
    json known = float_contract();
    if (dtype == "float16") {
        known["dtype"] = "float16";
    } else if (dtype == "uint8") {
        known["dtype"] = "uint8";
        known["layout"] = "NHWC";
        known["value_range"] = {0.0, 255.0};
        known["output_range"] = "clamped inside";
        known["rounding"] = "half to even, inside";
    }
    return known;
}

// Returns a value as Python's repr shows it, so that messages are the same.
std::string shown(const json &value) {
    if (value.is_string()) return "'" + value.get<std::string>() + "'";
    if (value.is_object()) return "an object";
    if (value.is_array()) {
        std::string text;
        for (const json &each : value) text += (text.empty() ? "" : ", ") + shown(each);
        return "(" + text + ")";
    }
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

[[noreturn]] void refuse_unreadable(const std::string &source, const std::string &reason) {
    throw Failure(DRS_MODEL_ERROR, source + ": its contract cannot be read (" + reason +
                                       "); export it again with this version");
}

json parsed(std::string_view text, const std::string &source) {
    if (text.size() > longest_text) refuse_unreadable(source, "it is longer than 65536 characters");
    // the parser would skip a byte order mark, which Python refuses
    if (text.substr(0, 3) == "\xEF\xBB\xBF")
        refuse_unreadable(source, "it begins with a byte order mark");
    bool too_deep = false;
    const auto watch = [&](int depth, json::parse_event_t, const json &) {
        too_deep = too_deep || depth > deepest;
        return !too_deep;
    };
    json values = json::parse(text, watch, /*allow_exceptions=*/false);
    if (too_deep) refuse_unreadable(source, "it is nested too deeply");
    if (values.is_discarded()) refuse_unreadable(source, "it is not JSON");
    if (!values.is_object()) refuse_unreadable(source, "it is not an object");
    if (!values.contains("value_range") || !values["value_range"].is_array()) {
        refuse_unreadable(source, "it has no list value_range");
    }
    return values;
}

}  // namespace

Contract contract_from_json(std::string_view text, const std::string &source) {
    const json values = parsed(text, source);
    for (const auto &[name, value] : values.items()) {
        if (!float_contract().contains(name)) {
            refuse_unreadable(source, "unexpected field '" + name + "'");
        }
    }
    const json dtype = values.value("dtype", float_contract()["dtype"]);
    const json known = known_contract(dtype);
    for (const char *name : fields) {
        const json &found = values.contains(name) ? values[name] : float_contract()[name];
        if (found != known[name]) {
            throw Failure(DRS_MODEL_ERROR,
                          source + ": its contract says " + name + " = " + shown(found) +
                              ", this version only knows " + shown(known[name]) +
                              "; use the drs-export version that made it, or export it again");
        }
    }
    Contract contract;
    contract.input_name = known["input_name"];
    contract.output_name = known["output_name"];
    contract.dtype = dtype == "uint8" ? DRS_UINT8 : dtype == "float16" ? DRS_FLOAT16 : DRS_FLOAT32;
    return contract;
}

const char *dtype_text(int32_t dtype) {
    switch (dtype) {
        case DRS_FLOAT32:
            return "float32";
        case DRS_FLOAT16:
            return "float16";
        case DRS_UINT8:
            return "uint8";
        default:
            return "another type";
    }
}

std::array<int64_t, 4> input_shape(const Contract &contract, int64_t images, int32_t height,
                                   int32_t width) {
    if (contract.takes_pixels()) return {images, height, width, channels};
    return {images, channels, height, width};
}

std::vector<int32_t> reflected_sources(int32_t length, int32_t padded) {
    std::vector<int32_t> sources(static_cast<std::size_t>(padded));
    const int32_t period = length > 1 ? 2 * (length - 1) : 1;
    for (int32_t i = 0; i < padded; ++i) {
        const int32_t there = i % period;
        sources[static_cast<std::size_t>(i)] = there < length ? there : period - there;
    }
    return sources;
}

}  // namespace drsformer
