// What running an engine needs of TensorRT or TensorRT-RTX, without their headers: so the tests can
// put a double in its place. A context is freed before its engine.
#ifndef DRSFORMER_TENSORRT_LIBRARY_HPP
#define DRSFORMER_TENSORRT_LIBRARY_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "manifest.hpp"
#include "message_log.hpp"

namespace drsformer::tensorrt {

// An input or output of an engine.
struct EngineTensor {
    std::string name;
    std::int32_t dtype = 0;  // DRS_FLOAT32, ...
    bool is_input = false;
};

// An execution context, whose memory is the caller's. Functions that return a bool are false where
// the library refuses; the reason is in its log.
class Context {
  public:
    virtual ~Context() = default;

    virtual bool set_profile(int number, void *stream) = 0;
    virtual bool set_input_shape(const std::string &name, const InputShape &shape) = 0;
    virtual bool get_shape(const std::string &name, InputShape *shape) = 0;
    virtual bool set_input(const std::string &name, const void *address) = 0;
    virtual bool set_output(const std::string &name, void *address) = 0;
    virtual std::size_t memory_needed() = 0;  // for the input shape that was set
    virtual void set_memory(void *memory, std::size_t bytes) = 0;
    virtual bool queue(void *stream) = 0;
};

// A deserialised engine.
class Engine {
  public:
    virtual ~Engine() = default;

    virtual std::vector<EngineTensor> tensors() = 0;
    virtual std::unique_ptr<Context> new_context() = 0;  // null where the library gives none

    // Puts the weights of an ONNX file into an engine that was built without; false with a reason,
    // which may be empty.
    virtual bool refit(const std::string &onnx_file, std::string *reason) = 0;

    // What TensorRT-RTX has compiled for this GPU; empty where there is nothing to keep.
    virtual std::string kernels() = 0;
    virtual bool set_kernels(const std::string &kernels) = 0;
};

class Library {
  public:
    virtual ~Library() = default;

    virtual const char *name() = 0;  // as in manifests: "tensorrt" or "tensorrt_rtx"
    virtual std::string version() = 0;
    virtual bool records_graphs() = 0;  // whether it makes CUDA graphs itself
    virtual bool can_refit() = 0;
    virtual MessageLog &log() = 0;

    // Deserialises an engine; null where the library refuses it. runs_host_code allows an engine
    // to bring the library's small runtime along.
    virtual std::unique_ptr<Engine> load(const std::string &content, bool runs_host_code) = 0;
};

// Returns the process's library: of nvinfer_engine.cpp, or a test's double.
Library &library();

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_LIBRARY_HPP
