#include "providers.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "module_failure.hpp"

namespace drsformer::onnxruntime {
namespace {

using backend::Failure;

constexpr std::string_view cuda = "CUDAExecutionProvider";
constexpr std::string_view tensorrt = "TensorrtExecutionProvider";
constexpr std::array<Provider, 3> providers = {{
    {"cpu", "CPUExecutionProvider", "ONNX Runtime", true},
    {"cuda", cuda, "ONNX Runtime for GPUs, CUDA and cuDNN", false},
    {"tensorrt", tensorrt, "ONNX Runtime for GPUs, CUDA, cuDNN and TensorRT", false},
}};

void append_cuda(const Library &library, const char *device, OrtSessionOptions *options) {
    const auto &api = library.api();
    OrtCUDAProviderOptionsV2 *made = nullptr;
    library.check(api.CreateCUDAProviderOptions(&made));
    const auto settings = Library::own(made, api.ReleaseCUDAProviderOptions);
    const auto *const key = "device_id";
    library.check(api.UpdateCUDAProviderOptions(settings.get(), &key, &device, 1));
    library.check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, settings.get()));
}

void append_tensorrt(const Library &library, const char *device, OrtSessionOptions *options) {
    const auto &api = library.api();
    OrtTensorRTProviderOptionsV2 *made = nullptr;
    library.check(api.CreateTensorRTProviderOptions(&made));
    const auto settings = Library::own(made, api.ReleaseTensorRTProviderOptions);
    const auto *const key = "device_id";
    library.check(api.UpdateTensorRTProviderOptions(settings.get(), &key, &device, 1));
    library.check(api.SessionOptionsAppendExecutionProvider_TensorRT_V2(options, settings.get()));
}

// Returns the names of providers that pass a test, with commas between them.
template <typename Test>
std::string names_of(Test test) {
    std::string names;
    for (const auto &provider : providers) {
        if (test(provider)) names.append(names.empty() ? "" : ", ").append(provider.name);
    }
    return names;
}

}  // namespace

const Provider &find_provider(const Library &library, std::string_view name) {
    const auto *const found =
        std::find_if(providers.begin(), providers.end(),
                     [name](const Provider &provider) { return provider.name == name; });
    if (found == providers.end()) {
        throw Failure(DRS_PROVIDER_ERROR, "ONNX Runtime has no provider '" + std::string(name) +
                                              "'; expected one of " +
                                              names_of([](const Provider &) { return true; }));
    }
    if (!library.has(found->onnxruntime_name)) {
        const auto present = names_of(
            [&](const Provider &provider) { return library.has(provider.onnxruntime_name); });
        throw Failure(DRS_PROVIDER_ERROR, "provider '" + std::string(name) +
                                              "' is not in the installed ONNX Runtime, which has " +
                                              present + "; install " + std::string(found->needs) +
                                              " in its place, or use one it has");
    }
    return *found;
}

void append_provider(const Library &library, const Provider &provider, std::int32_t device,
                     OrtSessionOptions *options) {
    if (provider.on_cpu) return;
    const auto ordinal = std::to_string(device);
    if (provider.onnxruntime_name == tensorrt) append_tensorrt(library, ordinal.c_str(), options);
    // without CUDA as a helper, one node that TensorRT does not support would copy its tensors to
    // the CPU and back
    if (library.has(cuda)) append_cuda(library, ordinal.c_str(), options);
}

}  // namespace drsformer::onnxruntime
