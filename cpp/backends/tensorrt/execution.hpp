// One way to execute an engine:
//
//     ShapedContext    an execution context for one input shape, with memory of just that size
//     Execution        a context with its buffers, on our stream: upload, execute, download
//     DeviceExecution  a context for tensors that are on the GPU already, on the caller's stream
//
// Whatever is made is freed with its owner, also where making it fails half-way, and in the order
// that the library needs: a context before its memory. All throw Fault; arguments that cannot be
// used are a Failure (DRS_INVALID_ARGUMENT).
#ifndef DRSFORMER_TENSORRT_EXECUTION_HPP
#define DRSFORMER_TENSORRT_EXECUTION_HPP

#include <memory>
#include <string>

#include "cuda.hpp"
#include "library.hpp"

namespace drsformer::tensorrt {

// An engine, and what its runs need to know of it.
struct OpenEngine {
    std::unique_ptr<Engine> engine;
    std::uint64_t mark = 0;  // of the library's log when it was opened
    std::string input_name;
    std::string output_name;
    std::int32_t dtype = 0;

    // Returns the library's last error about this engine.
    std::string reason() const { return library().log().reason_since(mark); }
};

class ShapedContext {
  public:
    ShapedContext(const OpenEngine &engine, const InputShape &shape, int profile, void *stream);

    // Says where input and output lie on the GPU.
    void bind(const void *input, void *output);

    void queue(void *stream);

  private:
    void allocate(const InputShape &shape);

    const OpenEngine &engine_;
    DeviceMemory memory_;
    std::unique_ptr<Context> context_;
};

class Execution {
  public:
    // The stream stays the caller's. From the second run on the work is replayed as one CUDA
    // graph, unless the library makes such graphs itself.
    Execution(const OpenEngine &engine, const InputShape &shape, int profile, void *stream);

    void *input() const { return pinned_input_.get(); }
    void *output() const { return pinned_output_.get(); }

    // Executes once, on what is in the input.
    void run();

  private:
    void queue();
    void queue_and_wait();
    void record();

    std::size_t bytes_;  // of the input, and of the output
    PinnedMemory pinned_input_;
    PinnedMemory pinned_output_;
    DeviceMemory device_input_;
    DeviceMemory device_output_;
    ShapedContext context_;
    Graph graph_;
    void *stream_;
    bool record_;
};

class DeviceExecution {
  public:
    // own_stream is used while it is made only.
    DeviceExecution(const OpenEngine &engine, const InputShape &shape, int profile,
                    void *own_stream);
    ~DeviceExecution();
    DeviceExecution(const DeviceExecution &) = delete;
    DeviceExecution &operator=(const DeviceExecution &) = delete;

    // Queues a run, behind the one before it: they share the context's memory.
    void queue(const void *input, void *output, void *stream);

  private:
    Event done_;  // the last run
    bool queued_ = false;
    ShapedContext context_;
};

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_EXECUTION_HPP
