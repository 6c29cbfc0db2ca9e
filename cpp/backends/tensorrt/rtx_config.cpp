// Contexts of TensorRT-RTX: it records CUDA graphs itself, and compiles kernels for this very GPU
// when an engine is run, which it gives out so that the next start need not.
//
// All calls that only TensorRT-RTX knows are here, and DRSFORMER_TENSORRT_RTX takes this file in.
// It was written after NVIDIA's documentation of TensorRT-RTX 1.3 and has not been compiled: its
// headers come with its SDK alone, in no package registry.
#include "contexts.hpp"

namespace drsformer::tensorrt {
namespace {

using Config = nvinfer1::IRuntimeConfig;
using Cache = nvinfer1::IRuntimeCache;

class RtxContexts : public Contexts {
  public:
    explicit RtxContexts(nvinfer1::ICudaEngine &engine) : engine_(engine) {
        const std::unique_ptr<Config> config(engine_.createRuntimeConfig());
        if (config) cache_.reset(config->createRuntimeCache());
    }

    MadeContext make() override {
        const std::shared_ptr<Config> config(engine_.createRuntimeConfig());
        if (!config) return {};
        config->setExecutionContextAllocationStrategy(
            nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED);
        // without graphs or the cache a context is only slower
        static_cast<void>(
            config->setCudaGraphStrategy(nvinfer1::CudaGraphStrategy::kWHOLE_GRAPH_CAPTURE));
        if (cache_) static_cast<void>(config->setRuntimeCache(*cache_));
        return {config, std::unique_ptr<nvinfer1::IExecutionContext>(
                            engine_.createExecutionContext(config.get()))};
    }

    std::string kernels() override {
        if (!cache_) return "";
        const std::unique_ptr<nvinfer1::IHostMemory> bytes(cache_->serialize());
        if (!bytes) return "";
        return {static_cast<const char *>(bytes->data()), bytes->size()};
    }

    bool set_kernels(const std::string &kernels) override {
        return cache_ && cache_->deserialize(kernels.data(), kernels.size());
    }

  private:
    nvinfer1::ICudaEngine &engine_;
    std::unique_ptr<Cache> cache_;
};

}  // namespace

std::unique_ptr<Contexts> contexts_of(nvinfer1::ICudaEngine &engine) {
    return std::make_unique<RtxContexts>(engine);
}

}  // namespace drsformer::tensorrt
