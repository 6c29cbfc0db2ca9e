// How execution contexts are made: in plain_contexts.cpp with TensorRT's calls, in rtx_config.cpp
// with TensorRT-RTX's. CMake takes one of them.
#ifndef DRSFORMER_TENSORRT_CONTEXTS_HPP
#define DRSFORMER_TENSORRT_CONTEXTS_HPP

#include <NvInfer.h>

#include <memory>
#include <string>

namespace drsformer::tensorrt {

// A context, and what must outlive it.
struct MadeContext {
    std::shared_ptr<void> kept;
    std::unique_ptr<nvinfer1::IExecutionContext> context;
};

// Makes contexts of one engine.
class Contexts {
  public:
    virtual ~Contexts() = default;

    // Returns a context without memory of its own; an empty one where the library gives none.
    virtual MadeContext make() = 0;

    // What the library has compiled for this GPU, see Engine.
    virtual std::string kernels() = 0;
    virtual bool set_kernels(const std::string &kernels) = 0;
};

std::unique_ptr<Contexts> contexts_of(nvinfer1::ICudaEngine &engine);

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_CONTEXTS_HPP
