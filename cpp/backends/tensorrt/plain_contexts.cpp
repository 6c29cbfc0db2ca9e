// Contexts of TensorRT, which compiles nothing when an engine is run.
#include "contexts.hpp"

namespace drsformer::tensorrt {
namespace {

class PlainContexts : public Contexts {
  public:
    explicit PlainContexts(nvinfer1::ICudaEngine &engine) : engine_(engine) {}

    MadeContext make() override {
        const auto strategy = nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED;
        return {nullptr, std::unique_ptr<nvinfer1::IExecutionContext>(
                             engine_.createExecutionContext(strategy))};
    }

    std::string kernels() override { return ""; }

    bool set_kernels(const std::string & /*kernels*/) override { return false; }

  private:
    nvinfer1::ICudaEngine &engine_;
};

}  // namespace

std::unique_ptr<Contexts> contexts_of(nvinfer1::ICudaEngine &engine) {
    return std::make_unique<PlainContexts>(engine);
}

}  // namespace drsformer::tensorrt
