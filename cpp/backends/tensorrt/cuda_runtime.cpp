// Cuda over NVIDIA's CUDA runtime. Holds no logic: cuda.cpp and execution.cpp do.
#include <cuda_runtime_api.h>

#include "cuda.hpp"

namespace drsformer::tensorrt {
namespace {

// Returns a call's status. The runtime also remembers an error, and TensorRT would take it for one
// of its own later.
CudaStatus done(cudaError_t error) {
    if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
    return static_cast<CudaStatus>(error);
}

cudaStream_t stream_of(void *stream) {
    return static_cast<cudaStream_t>(stream);
}

cudaEvent_t event_of(void *event) {
    return static_cast<cudaEvent_t>(event);
}

// Calls with a pointer to a handle of CUDA's own type.
template <typename Handle, typename Call>
CudaStatus make(void **made, const Call &call) {
    Handle handle = nullptr;
    const auto status = done(call(&handle));
    *made = handle;
    return status;
}

class CudaRuntime : public Cuda {
  public:
    const char *name_of(CudaStatus status) override {
        return cudaGetErrorName(static_cast<cudaError_t>(status));
    }
    bool is_out_of_memory(CudaStatus status) override {
        return status == cudaErrorMemoryAllocation;
    }

    CudaStatus count_devices(int *count) override { return done(cudaGetDeviceCount(count)); }
    CudaStatus get_properties(int device, GpuProperties *properties) override {
        cudaDeviceProp found = {};
        const auto status = done(cudaGetDeviceProperties(&found, device));
        if (status == 0) *properties = {found.name, found.major, found.minor};
        return status;
    }
    CudaStatus get_device(int *device) override { return done(cudaGetDevice(device)); }
    CudaStatus set_device(int device) override { return done(cudaSetDevice(device)); }

    CudaStatus allocate_device(std::size_t bytes, void **memory) override {
        return done(cudaMalloc(memory, bytes));
    }
    CudaStatus free_device(void *memory) override { return done(cudaFree(memory)); }
    CudaStatus allocate_pinned(std::size_t bytes, void **memory) override {
        return done(cudaMallocHost(memory, bytes));
    }
    CudaStatus free_pinned(void *memory) override { return done(cudaFreeHost(memory)); }

    CudaStatus create_stream(void **stream) override {
        return make<cudaStream_t>(stream, [](cudaStream_t *made) {
            return cudaStreamCreateWithFlags(made, cudaStreamNonBlocking);
        });
    }
    CudaStatus destroy_stream(void *stream) override {
        return done(cudaStreamDestroy(stream_of(stream)));
    }
    CudaStatus wait_for_stream(void *stream) override {
        return done(cudaStreamSynchronize(stream_of(stream)));
    }
    CudaStatus upload(void *to, const void *from, std::size_t bytes, void *stream) override {
        return done(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(stream)));
    }
    CudaStatus download(void *to, const void *from, std::size_t bytes, void *stream) override {
        return done(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(stream)));
    }

    CudaStatus create_event(void **event) override {
        return make<cudaEvent_t>(event, [](cudaEvent_t *made) {
            return cudaEventCreateWithFlags(made, cudaEventDisableTiming);
        });
    }
    CudaStatus destroy_event(void *event) override {
        return done(cudaEventDestroy(event_of(event)));
    }
    CudaStatus record_event(void *event, void *stream) override {
        return done(cudaEventRecord(event_of(event), stream_of(stream)));
    }
    CudaStatus wait_for_event(void *event) override {
        return done(cudaEventSynchronize(event_of(event)));
    }
    CudaStatus queue_wait_for_event(void *stream, void *event) override {
        return done(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
    }

    CudaStatus is_capturing(void *stream, bool *capturing) override {
        auto found = cudaStreamCaptureStatusNone;
        const auto status = done(cudaStreamIsCapturing(stream_of(stream), &found));
        *capturing = found != cudaStreamCaptureStatusNone;
        return status;
    }
    CudaStatus begin_capture(void *stream) override {
        return done(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal));
    }
    CudaStatus end_capture(void *stream, void **graph) override {
        return make<cudaGraph_t>(graph, [stream](cudaGraph_t *made) {
            return cudaStreamEndCapture(stream_of(stream), made);
        });
    }
    CudaStatus destroy_graph(void *graph) override {
        return done(cudaGraphDestroy(static_cast<cudaGraph_t>(graph)));
    }
    CudaStatus instantiate_graph(void *graph, void **launchable) override {
        return make<cudaGraphExec_t>(launchable, [graph](cudaGraphExec_t *made) {
            return cudaGraphInstantiateWithFlags(made, static_cast<cudaGraph_t>(graph), 0);
        });
    }
    CudaStatus launch_graph(void *launchable, void *stream) override {
        return done(cudaGraphLaunch(static_cast<cudaGraphExec_t>(launchable), stream_of(stream)));
    }
    CudaStatus destroy_launchable(void *launchable) override {
        return done(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(launchable)));
    }
};

}  // namespace

Cuda &cuda() {
    static CudaRuntime runtime;
    return runtime;
}

}  // namespace drsformer::tensorrt
