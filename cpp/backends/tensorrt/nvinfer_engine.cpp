// Library, Engine and Context over TensorRT or TensorRT-RTX. Holds no logic: loaded_engine.cpp and
// execution.cpp do.
#include <NvInfer.h>

#include <cstring>

#include "backend.h"
#include "contexts.hpp"
#include "library.hpp"
#include "refit.hpp"

namespace drsformer::tensorrt {
namespace {

class Logger : public nvinfer1::ILogger {
  public:
    void log(Severity severity, const char *message) noexcept override {
        if (severity <= Severity::kERROR) messages.add(message);
    }

    MessageLog messages;
};

Logger &logger() {
    static Logger one;
    return one;
}

std::int32_t dtype_of(nvinfer1::DataType type) {
    switch (type) {
        case nvinfer1::DataType::kFLOAT:
            return DRS_FLOAT32;
        case nvinfer1::DataType::kHALF:
            return DRS_FLOAT16;
        case nvinfer1::DataType::kUINT8:
            return DRS_UINT8;
        default:
            return DRS_OTHER_TYPE;
    }
}

cudaStream_t stream_of(void *stream) {
    return static_cast<cudaStream_t>(stream);
}

class NvContext : public Context {
  public:
    explicit NvContext(MadeContext made) : made_(std::move(made)) {}

    bool set_profile(int number, void *stream) override {
        return made_.context->setOptimizationProfileAsync(number, stream_of(stream));
    }
    bool set_input_shape(const std::string &name, const InputShape &shape) override {
        return made_.context->setInputShape(
            name.c_str(), nvinfer1::Dims4(shape[0], shape[1], shape[2], shape[3]));
    }
    bool get_shape(const std::string &name, InputShape *shape) override {
        const auto found = made_.context->getTensorShape(name.c_str());
        if (found.nbDims != static_cast<std::int32_t>(shape->size())) return false;
        for (std::size_t i = 0; i < shape->size(); ++i) (*shape)[i] = found.d[i];
        return true;
    }
    bool set_input(const std::string &name, const void *address) override {
        return made_.context->setInputTensorAddress(name.c_str(), address);
    }
    bool set_output(const std::string &name, void *address) override {
        return made_.context->setOutputTensorAddress(name.c_str(), address);
    }
    std::size_t memory_needed() override {
        return made_.context->updateDeviceMemorySizeForShapes();
    }
    void set_memory(void *memory, std::size_t bytes) override {
        made_.context->setDeviceMemoryV2(memory, static_cast<std::int64_t>(bytes));
    }
    bool queue(void *stream) override { return made_.context->enqueueV3(stream_of(stream)); }

  private:
    MadeContext made_;
};

class NvEngine : public Engine {
  public:
    NvEngine(std::unique_ptr<nvinfer1::IRuntime> runtime,
             std::unique_ptr<nvinfer1::ICudaEngine> engine)
        : runtime_(std::move(runtime)),
          engine_(std::move(engine)),
          contexts_(contexts_of(*engine_)) {}

    std::vector<EngineTensor> tensors() override {
        std::vector<EngineTensor> all;
        for (std::int32_t i = 0; i < engine_->getNbIOTensors(); ++i) {
            const auto *name = engine_->getIOTensorName(i);
            const auto mode = engine_->getTensorIOMode(name);
            all.push_back({name, dtype_of(engine_->getTensorDataType(name)),
                           mode == nvinfer1::TensorIOMode::kINPUT});
        }
        return all;
    }
    std::unique_ptr<Context> new_context() override {
        auto made = contexts_->make();
        if (!made.context) return nullptr;
        return std::make_unique<NvContext>(std::move(made));
    }
    bool refit(const std::string &onnx_file, std::string *reason) override {
        return refit_engine(*engine_, logger(), onnx_file, reason);
    }
    std::string kernels() override { return contexts_->kernels(); }
    bool set_kernels(const std::string &kernels) override {
        return contexts_->set_kernels(kernels);
    }

  private:
    std::unique_ptr<nvinfer1::IRuntime> runtime_;
    std::unique_ptr<nvinfer1::ICudaEngine> engine_;
    std::unique_ptr<Contexts> contexts_;
};

class NvLibrary : public Library {
  public:
    const char *name() override { return DRSFORMER_TENSORRT_NAME; }
    std::string version() override {
        return std::to_string(getInferLibMajorVersion()) + "." +
               std::to_string(getInferLibMinorVersion()) + "." +
               std::to_string(getInferLibPatchVersion()) + "." +
               std::to_string(getInferLibBuildVersion());
    }
    bool records_graphs() override { return std::strcmp(name(), "tensorrt_rtx") == 0; }
    bool can_refit() override { return has_refit(); }
    MessageLog &log() override { return logger().messages; }
    std::unique_ptr<Engine> load(const std::string &content, bool runs_host_code) override {
        std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger()));
        if (!runtime) return nullptr;
        if (runs_host_code) runtime->setEngineHostCodeAllowed(true);
        std::unique_ptr<nvinfer1::ICudaEngine> engine(
            runtime->deserializeCudaEngine(content.data(), content.size()));
        if (!engine) return nullptr;
        return std::make_unique<NvEngine>(std::move(runtime), std::move(engine));
    }
};

}  // namespace

Library &library() {
    static NvLibrary one;
    return one;
}

}  // namespace drsformer::tensorrt
