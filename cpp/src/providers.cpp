#include "providers.hpp"

#include <algorithm>
#include <array>

#include "failure.hpp"
#include "manifest.hpp"
#include "readable.hpp"

namespace drsformer {
namespace {

struct Provider {
    const char *name;
    const char *backend;
    bool runs_onnx;
    bool runs_engines;
    bool on_cuda;
};

// "tensorrt" runs engines, and given an ONNX file it is ONNX Runtime's provider of that name.
constexpr std::array<Provider, 6> providers = {{
    {"cpu", "onnxruntime", true, false, false},
    {"cuda", "onnxruntime", true, false, true},
    {"tensorrt", "onnxruntime", true, true, true},
    {"openvino", "openvino", true, false, false},
    {"openvino_gpu", "openvino", true, false, false},
    {"tensorrt_rtx", "tensorrt_rtx", false, true, true},
}};

[[noreturn]] void refuse(const std::string &message) {
    throw Failure(DRS_PROVIDER_ERROR, message);
}

std::string all_names() {
    std::string names;
    for (const Provider &provider : providers)
        names += (names.empty() ? "" : ", ") + std::string(provider.name);
    return names;
}

const Provider &provider_named(const std::string &name) {
    const auto *found = std::find_if(providers.begin(), providers.end(),
                                     [&](const Provider &each) { return name == each.name; });
    if (found == providers.end()) {
        refuse("unknown provider '" + name + "'; expected one of " + all_names());
    }
    return *found;
}

Choice choice_for_onnx(const std::string &path, const Settings &settings) {
    const Provider &provider =
        provider_named(settings.provider.empty() ? "cpu" : settings.provider);
    const std::string name = provider.name;
    if (!provider.runs_onnx) {
        refuse("provider '" + name + "' runs engines, and " + path +
               " is none; build one with `drs-export trt`");
    }
    if (settings.device != 0 && !provider.on_cuda) {
        refuse("device " + std::to_string(settings.device) +
               " is the CUDA ordinal of a GPU, and provider '" + name +
               "' does not run on CUDA; leave it out, or use provider cuda or tensorrt, or an "
               "engine");
    }
    if (settings.bf16 && provider.backend != std::string("openvino")) {
        refuse("provider '" + name +
               "' computes in the precision that the file says; precision bf16 can be asked of "
               "provider 'openvino' only");
    }
    return {name, provider.backend, ""};
}

Choice choice_for_engine(const std::string &path, const Settings &settings) {
    if (!settings.provider.empty() && !provider_named(settings.provider).runs_engines) {
        refuse(path + " is an engine, and provider '" + settings.provider +
               "' runs ONNX files; leave it out");
    }
    if (settings.bf16) {
        refuse(path + " computes in the precision it was built with; leave that out");
    }
    const Manifest manifest = manifest_of(path);
    if (!settings.provider.empty() && settings.provider != manifest.flavor) {
        throw Failure(DRS_ENGINE_ERROR, path + " is an engine of " + manifest.flavor +
                                            ", and provider '" + settings.provider +
                                            "' was asked for; it runs with " + manifest.flavor);
    }
    return {manifest.flavor, manifest.flavor, manifest_text(path)};
}

}  // namespace

Choice choice_for(const std::string &path, const Settings &settings) {
    check_readable(path, DRS_MODEL_ERROR, "make one with `drs-export onnx`");
    return is_engine(path) ? choice_for_engine(path, settings) : choice_for_onnx(path, settings);
}

}  // namespace drsformer
