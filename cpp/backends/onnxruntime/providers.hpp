// ONNX Runtime's execution providers; one that was asked for and cannot be used is an error.
// runtime/backends/onnxruntime_providers.py is the same in Python.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_PROVIDERS_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_PROVIDERS_HPP

#include <cstdint>
#include <string_view>

#include "library.hpp"

namespace drsformer::onnxruntime {

// One of ONNX Runtime's ways to execute a model.
struct Provider {
    std::string_view name;              // that users type
    std::string_view onnxruntime_name;  // ONNX Runtime's own
    std::string_view needs;             // what holds it
    bool on_cpu;
};

// Finds a provider by the name that users type; throws Failure (DRS_PROVIDER_ERROR) where there is
// none of that name or the library was built without it.
const Provider &find_provider(const Library &library, std::string_view name);

// Makes sessions use a provider, on the GPU with a CUDA ordinal; throws OrtError where it cannot
// start. ONNX Runtime then runs what the provider does not support on the CPU.
void append_provider(const Library &library, const Provider &provider, std::int32_t device,
                     OrtSessionOptions *options);

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_PROVIDERS_HPP
