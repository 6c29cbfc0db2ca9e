// Which values a manifest may have, and what a refusal says of others.
#include <algorithm>
#include <functional>
#include <optional>

#include "manifest.hpp"
#include "manifest_object.hpp"

namespace drsformer {
namespace {

using namespace manifest_json;

constexpr int format = 1;
constexpr int channels = 3;
constexpr std::int64_t largest_size = (std::int64_t{1} << 31) - 1;
constexpr std::size_t most_profiles = 1000;

bool is_version(const json &value) {
    if (!value.is_string()) return false;
    const auto &text = value.get_ref<const std::string &>();
    const auto allowed = ".abcdefghijklmnopqrstuvwxyz0123456789";
    return !text.empty() && text[0] >= '0' && text[0] <= '9' &&
           text.find_first_not_of(allowed) == std::string::npos;
}

bool is_capability(const json &value) {
    if (!value.is_string()) return false;
    const auto &text = value.get_ref<const std::string &>();
    const auto point = text.find('.');
    const auto is_digits = text.find_first_not_of("0123456789.") == std::string::npos;
    return is_digits && (point == 1 || point == 2) && text.size() == point + 2 &&
           text.back() != '.';
}

bool is_file_name(const json &value) {
    if (!value.is_string()) return false;
    const auto &text = value.get_ref<const std::string &>();
    const auto has_bad =
        text.find('/') != std::string::npos || text.find('\0') != std::string::npos;
    return !text.empty() && text != "." && text != ".." && !has_bad;
}

// A whole number from 1 on; larger ones than the type's are read as fractions, and refused.
bool is_positive(const json &value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() > 0;
}

bool is_object_or_null(const json &value) {
    return value.is_object() || value.is_null();
}

bool is_layers(const json &value) {
    const auto is_whole = [](const json &number) { return number.is_number_integer(); };
    return value.is_object() && std::all_of(value.begin(), value.end(), is_whole);
}

bool is_capabilities(const json &value) {
    return value.is_array() && !value.empty() &&
           std::all_of(value.begin(), value.end(), is_capability);
}

void check_format(const Values &values, const std::string &source) {
    const auto is_whole = [](const json &value) { return value.is_number_integer(); };
    const auto found = values.required("format", is_whole, "the number " + std::to_string(format));
    if (found == format) return;
    throw Failure(DRS_ENGINE_ERROR, source + " has format " + shown(found) +
                                        ", this version reads " + std::to_string(format) + "; " +
                                        rebuild);
}

bool is_size(const json &value) {
    return is_positive(value) && value.get<std::uint64_t>() <= largest_size;
}

std::optional<InputShape> shape_from(const json &values) {
    InputShape shape;
    if (!values.is_array() || values.size() != shape.size()) return std::nullopt;
    if (!std::all_of(values.begin(), values.end(), is_size)) return std::nullopt;
    std::transform(values.begin(), values.end(), shape.begin(),
                   [](const json &size) { return size.get<std::int64_t>(); });
    return shape;
}

bool ascends(const InputShape &low, const InputShape &high) {
    return std::equal(low.begin(), low.end(), high.begin(), std::less_equal<>());
}

Profile profile_from(const json &value, std::size_t channel_axis, const std::string &source) {
    const Values values(value, "profile.", source);
    const auto min = shape_from(values.at("min"));
    const auto opt = shape_from(values.at("opt"));
    const auto max = shape_from(values.at("max"));
    const bool is_range = min && opt && max && ascends(*min, *opt) && ascends(*opt, *max);
    if (!is_range || (*min)[channel_axis] != channels || (*max)[channel_axis] != channels) {
        refuse_value(source, "the profile " + shown(value),
                     "four sizes above 0 each, ascending from min to max, and 3 channels");
    }
    return {*min, *opt, *max};
}

std::vector<Profile> profiles_from(const json &values, const std::string &layout,
                                   const std::string &source) {
    if (!values.is_array() || values.empty() || values.size() > most_profiles) {
        refuse_value(source, "profiles " + shown(values), "at least one profile");
    }
    std::vector<Profile> profiles;
    for (const auto &value : values)
        profiles.push_back(profile_from(value, layout.find('C'), source));
    return profiles;
}

RunsOn runs_on_from(const json &value, const std::string &source) {
    const Values values(value, "runs_on.", source);
    values.check_keys({"compute_capabilities", "newer", "version_compatible", "platform"});
    RunsOn runs_on;
    runs_on.compute_capabilities =
        values.required("compute_capabilities", is_capabilities, "such as 8.9")
            .get<std::vector<std::string>>();
    runs_on.newer = values.flag("newer");
    runs_on.version_compatible = values.flag("version_compatible");
    runs_on.platform = values.text_or_null("platform");
    return runs_on;
}

BuiltOn built_on_from(const json &value, const std::string &source) {
    const Values values(value, "built_on.", source);
    values.check_keys({"gpu", "compute_capability", "cuda"});
    return {values.text_or_null("gpu"), values.text_or_null("compute_capability"),
            values.text_or_null("cuda")};
}

// Takes out of the contract what an engine is run by; contract_from_json checks all of it.
void read_contract(const json &value, const std::string &source, Manifest &manifest) {
    const Values values(value, "contract.", source);
    manifest.contract_json = value.dump();
    manifest.layout = values.one_of("layout", values.get("layout", "NCHW"), {"NCHW", "NHWC"});
    manifest.dtype =
        values.one_of("dtype", values.get("dtype", "float32"), {"float32", "float16", "uint8"});
    manifest.input_name = values.text_or_null("input_name").value_or("input");
    manifest.output_name = values.text_or_null("output_name").value_or("output");
}

// Whether an option of the build was set.
bool is_set(const json &options, const char *name) {
    const auto found = options.find(name);
    return found != options.end() && !found->is_null() && *found != false;
}

Manifest manifest_from(const Values &values, const std::string &source) {
    Manifest manifest;
    const auto is_object = [](const json &value) { return value.is_object(); };
    manifest.engine_sha256 = values.hash("engine_sha256");
    manifest.engine_bytes = values.required("engine_bytes", is_positive, "a whole number above 0");
    manifest.flavor = values.one_of("flavor", values.at("flavor"), {"tensorrt", "tensorrt_rtx"});
    manifest.version = values.required("version", is_version, "a version such as 10.3.0.26");
    manifest.precision =
        values.one_of("precision", values.at("precision"), {"fp32", "fp16", "bf16", "int8", "fp8"});
    read_contract(values.at("contract"), source, manifest);
    manifest.profiles = profiles_from(values.at("profiles"), manifest.layout, source);
    manifest.runs_on = runs_on_from(values.at("runs_on"), source);
    manifest.built_on = built_on_from(values.at("built_on"), source);
    manifest.stripped_weights =
        is_set(values.required("options", is_object, "an object"), "stripped_weights");
    values.required("layers", is_layers, "whole numbers by type");
    manifest.onnx_file =
        values.required("onnx_file", is_file_name, "the name of a file, without a folder");
    manifest.onnx_sha256 = values.hash("onnx_sha256");
    manifest.checkpoint_sha256 = values.text("checkpoint_sha256");
    manifest.other_gpus = values.text_or_null("other_gpus");
    for (const auto *key : {"calibration", "validation"}) {
        values.checked(key, values.get(key, nullptr), is_object_or_null, "an object or null");
    }
    manifest.command = values.text("command");
    manifest.drs_export_version = values.text("drs_export_version");
    return manifest;
}

}  // namespace

Manifest manifest_from_text(std::string_view text, const std::string &source) {
    const json value = parsed(text, source);
    const Values values(value, "", source);
    check_format(values, source);
    return manifest_from(values, source);
}

}  // namespace drsformer
