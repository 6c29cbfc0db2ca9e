#include "cuda.hpp"

#include <algorithm>

namespace drsformer::tensorrt {
namespace {

using GraphTemplate = std::unique_ptr<void, Freeing<&Cuda::destroy_graph>>;

// Ends a capture. Without that the stream would stay in it.
CudaStatus ended_capture(void *stream, GraphTemplate &graph) {
    void *made = nullptr;
    const auto status = cuda().end_capture(stream, &made);
    graph.reset(made);
    return status;
}

}  // namespace

void check(CudaStatus status) {
    if (status == 0) return;
    throw Fault(std::string("CUDA: ") + cuda().name_of(status), cuda().is_out_of_memory(status));
}

DeviceMemory device_memory(std::size_t bytes) {
    void *memory = nullptr;
    check(cuda().allocate_device(std::max<std::size_t>(bytes, 1), &memory));
    return DeviceMemory(memory);
}

PinnedMemory pinned_memory(std::size_t bytes) {
    void *memory = nullptr;
    check(cuda().allocate_pinned(std::max<std::size_t>(bytes, 1), &memory));
    return PinnedMemory(memory);
}

Stream new_stream() {
    void *stream = nullptr;
    check(cuda().create_stream(&stream));
    return Stream(stream);
}

Event new_event() {
    void *event = nullptr;
    check(cuda().create_event(&event));
    return Event(event);
}

Graph captured(void *stream, const std::function<void()> &work) {
    GraphTemplate recorded;
    check(cuda().begin_capture(stream));
    try {
        work();
    } catch (...) {
        static_cast<void>(ended_capture(stream, recorded));
        throw;
    }
    check(ended_capture(stream, recorded));
    void *launchable = nullptr;
    check(cuda().instantiate_graph(recorded.get(), &launchable));
    return Graph(launchable);
}

CurrentDevice::CurrentDevice(int device) : status_(cuda().get_device(&before_)) {
    if (status_ != 0) before_ = -1;
    if (before_ != device) status_ = cuda().set_device(device);
    if (before_ == device || status_ != 0) before_ = -1;  // there is nothing to go back from
}

CurrentDevice::~CurrentDevice() {
    if (before_ >= 0) static_cast<void>(cuda().set_device(before_));
}

}  // namespace drsformer::tensorrt
