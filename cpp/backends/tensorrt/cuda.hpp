// What running an engine needs of the CUDA runtime, without its headers: so the tests can put a
// double in its place that counts what is alive and fails when it is told to.
//
// Handles are the runtime's own, as void pointers.
#ifndef DRSFORMER_TENSORRT_CUDA_HPP
#define DRSFORMER_TENSORRT_CUDA_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace drsformer::tensorrt {

using CudaStatus = int;  // a cudaError_t; 0 is success

struct GpuProperties {
    std::string name;
    int major = 0;  // of the compute capability
    int minor = 0;
};

// The calls of the CUDA runtime, one for one.
class Cuda {
  public:
    virtual ~Cuda() = default;

    virtual const char *name_of(CudaStatus status) = 0;
    virtual bool is_out_of_memory(CudaStatus status) = 0;

    virtual CudaStatus count_devices(int *count) = 0;
    virtual CudaStatus get_properties(int device, GpuProperties *properties) = 0;
    virtual CudaStatus get_device(int *device) = 0;
    virtual CudaStatus set_device(int device) = 0;

    virtual CudaStatus allocate_device(std::size_t bytes, void **memory) = 0;
    virtual CudaStatus free_device(void *memory) = 0;
    virtual CudaStatus allocate_pinned(std::size_t bytes, void **memory) = 0;
    virtual CudaStatus free_pinned(void *memory) = 0;

    virtual CudaStatus create_stream(void **stream) = 0;  // not in step with the default stream
    virtual CudaStatus destroy_stream(void *stream) = 0;
    virtual CudaStatus wait_for_stream(void *stream) = 0;
    virtual CudaStatus upload(void *to, const void *from, std::size_t bytes, void *stream) = 0;
    virtual CudaStatus download(void *to, const void *from, std::size_t bytes, void *stream) = 0;

    virtual CudaStatus create_event(void **event) = 0;
    virtual CudaStatus destroy_event(void *event) = 0;
    virtual CudaStatus record_event(void *event, void *stream) = 0;
    virtual CudaStatus wait_for_event(void *event) = 0;
    virtual CudaStatus queue_wait_for_event(void *stream, void *event) = 0;

    virtual CudaStatus is_capturing(void *stream, bool *capturing) = 0;
    virtual CudaStatus begin_capture(void *stream) = 0;
    virtual CudaStatus end_capture(void *stream, void **graph) = 0;
    virtual CudaStatus destroy_graph(void *graph) = 0;
    virtual CudaStatus instantiate_graph(void *graph, void **launchable) = 0;
    virtual CudaStatus launch_graph(void *launchable, void *stream) = 0;
    virtual CudaStatus destroy_launchable(void *launchable) = 0;
};

// Returns the process's CUDA: of cuda_runtime.cpp, or a test's double.
Cuda &cuda();

// CUDA or the library failed: the reason alone. Model says which engine and GPU it is about.
struct Fault : std::runtime_error {
    explicit Fault(const std::string &reason, bool no_memory = false)
        : std::runtime_error(reason), out_of_memory(no_memory) {}

    bool out_of_memory;  // the GPU's
};

// Throws Fault unless a call of CUDA succeeded.
void check(CudaStatus status);

// Frees a thing of CUDA's. A failure is passed over: nobody could try again.
template <CudaStatus (Cuda::*free)(void *)>
struct Freeing {
    void operator()(void *thing) const { static_cast<void>((cuda().*free)(thing)); }
};

using DeviceMemory = std::unique_ptr<void, Freeing<&Cuda::free_device>>;
using PinnedMemory = std::unique_ptr<void, Freeing<&Cuda::free_pinned>>;
using Stream = std::unique_ptr<void, Freeing<&Cuda::destroy_stream>>;
using Event = std::unique_ptr<void, Freeing<&Cuda::destroy_event>>;
using Graph = std::unique_ptr<void, Freeing<&Cuda::destroy_launchable>>;

// Each of these throws Fault where CUDA gives nothing.
DeviceMemory device_memory(std::size_t bytes);
PinnedMemory pinned_memory(std::size_t bytes);
Stream new_stream();
Event new_event();

// Records what work queues on a stream, so that it can be launched as a whole later.
Graph captured(void *stream, const std::function<void()> &work);

// Makes a GPU the current one of this thread, and the one before it again at the end: the thread
// is the caller's.
class CurrentDevice {
  public:
    explicit CurrentDevice(int device);
    ~CurrentDevice();
    CurrentDevice(const CurrentDevice &) = delete;
    CurrentDevice &operator=(const CurrentDevice &) = delete;

    CudaStatus status() const { return status_; }

  private:
    int before_ = -1;
    CudaStatus status_;
};

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_CUDA_HPP
