#include "execution.hpp"

#include <cstdint>

#include "failure.hpp"
#include "shape.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::uintptr_t alignment = 256;  // that the library needs of tensors on the GPU

void check_aligned(const char *what, const void *address) {
    if (reinterpret_cast<std::uintptr_t>(address) % alignment == 0) return;
    throw Failure(DRS_INVALID_ARGUMENT,
                  std::string(what) +
                      " does not begin at a multiple of 256 bytes on the GPU, which "
                      "TensorRT needs; cudaMalloc gives such memory");
}

// What was captured could not be ordered after the runs before it, which share its memory.
void check_not_capturing(void *stream) {
    bool capturing = false;
    check(cuda().is_capturing(stream, &capturing));
    if (capturing) {
        throw Failure(DRS_INVALID_ARGUMENT,
                      "stream is being captured into a CUDA graph, which runs cannot be part of; "
                      "end the capture first");
    }
}

}  // namespace

ShapedContext::ShapedContext(const OpenEngine &engine, const InputShape &shape, int profile,
                             void *stream)
    : engine_(engine), context_(engine.engine->new_context()) {
    if (!context_) throw Fault("the engine gives no execution context: " + engine_.reason());
    if (!context_->set_profile(profile, stream)) {
        throw Fault("the engine refuses profile " + std::to_string(profile) + ": " +
                    engine_.reason());
    }
    allocate(shape);
}

void ShapedContext::allocate(const InputShape &shape) {
    if (!context_->set_input_shape(engine_.input_name, shape)) {
        throw Fault("the engine refuses " + engine_.input_name + " of " + shape_text(shape) + ": " +
                    engine_.reason());
    }
    InputShape given = {};
    if (!context_->get_shape(engine_.output_name, &given) || given != shape) {
        throw Fault("the engine gives " + engine_.output_name + " of another shape than " +
                    engine_.input_name + " has");
    }
    const auto needed = context_->memory_needed();
    if (needed == 0) {  // this network always needs some, so 0 means a failure
        throw Fault("the engine needs an unknown amount of memory: " + engine_.reason());
    }
    memory_ = device_memory(needed);
    context_->set_memory(memory_.get(), needed);
}

void ShapedContext::bind(const void *input, void *output) {
    if (!context_->set_input(engine_.input_name, input)) {
        throw Fault("the engine refuses a buffer for " + engine_.input_name + ": " +
                    engine_.reason());
    }
    if (!context_->set_output(engine_.output_name, output)) {
        throw Fault("the engine refuses a buffer for " + engine_.output_name + ": " +
                    engine_.reason());
    }
}

void ShapedContext::queue(void *stream) {
    if (!context_->queue(stream)) {
        throw Fault("the engine could not be queued: " + engine_.reason());
    }
}

Execution::Execution(const OpenEngine &engine, const InputShape &shape, int profile, void *stream)
    : bytes_(backend::byte_count(shape, engine.dtype)),
      pinned_input_(pinned_memory(bytes_)),
      pinned_output_(pinned_memory(bytes_)),
      device_input_(device_memory(bytes_)),
      device_output_(device_memory(bytes_)),
      context_(engine, shape, profile, stream),
      stream_(stream),
      record_(!library().records_graphs()) {
    context_.bind(device_input_.get(), device_output_.get());
}

void Execution::run() {
    try {
        queue_and_wait();
    } catch (...) {  // nothing may go on in the buffers once the caller has them again
        static_cast<void>(cuda().wait_for_stream(stream_));
        throw;
    }
    if (record_) {  // the first run allocates, which must not be recorded
        record_ = false;
        record();
    }
}

void Execution::queue() {
    check(cuda().upload(device_input_.get(), pinned_input_.get(), bytes_, stream_));
    context_.queue(stream_);
    check(cuda().download(pinned_output_.get(), device_output_.get(), bytes_, stream_));
}

void Execution::queue_and_wait() {
    if (graph_) {
        check(cuda().launch_graph(graph_.get(), stream_));
    } else {
        queue();
    }
    check(cuda().wait_for_stream(stream_));
}

void Execution::record() {
    try {
        graph_ = captured(stream_, [this] { queue(); });
    } catch (const Fault &) {  // a network that cannot be recorded runs all the same
        graph_.reset();
    }
}

DeviceExecution::DeviceExecution(const OpenEngine &engine, const InputShape &shape, int profile,
                                 void *own_stream)
    : done_(new_event()), context_(engine, shape, profile, own_stream) {
    check(cuda().wait_for_stream(own_stream));  // the profile is set there, and runs are elsewhere
}

DeviceExecution::~DeviceExecution() {
    if (queued_) static_cast<void>(cuda().wait_for_event(done_.get()));
}

void DeviceExecution::queue(const void *input, void *output, void *stream) {
    check_aligned("input", input);
    check_aligned("output", output);
    check_not_capturing(stream);
    context_.bind(input, output);
    if (queued_) check(cuda().queue_wait_for_event(stream, done_.get()));
    context_.queue(stream);
    const auto status = cuda().record_event(done_.get(), stream);
    if (status != 0) {  // later runs could not wait for this one
        static_cast<void>(cuda().wait_for_stream(stream));
        check(status);
    }
    queued_ = true;
}

}  // namespace drsformer::tensorrt
