// CUDA of the double.
#include <cstdlib>
#include <cstring>

#include "cuda.hpp"
#include "double.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::size_t alignment = 256;

using FakeGraph = std::vector<Work>;

// Returns a call's status.
CudaStatus status_of(const std::string &call) {
    return fake().fails(call) ? fake().status : success;
}

CudaStatus allocate(const std::string &call, const std::string &kind, std::size_t bytes,
                    void **memory) {
    fake().devices.insert(fake().current_device);
    if (const auto status = status_of(call)) return status;
    *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    std::memset(*memory, 0xee, bytes);
    fake().memory.insert(*memory);
    ++fake().alive[kind];
    return success;
}

// Frees all the same where it fails.
CudaStatus release(const std::string &call, const std::string &kind, void *memory) {
    if (fake().memory.erase(memory) == 0) fake().violations.push_back("freed twice: " + kind);
    std::free(memory);
    --fake().alive[kind];
    return status_of(call);
}

template <typename Thing>
CudaStatus make(const std::string &call, const std::string &kind, void **made) {
    fake().devices.insert(fake().current_device);
    if (const auto status = status_of(call)) return status;
    *made = std::make_unique<Thing>().release();
    ++fake().alive[kind];
    return success;
}

template <typename Thing>
CudaStatus destroy(const std::string &call, const std::string &kind, void *thing) {
    const std::unique_ptr<Thing> owner(static_cast<Thing *>(thing));
    --fake().alive[kind];
    return status_of(call);
}

FakeStream &stream_of(void *stream) {
    return *static_cast<FakeStream *>(stream);
}

FakeEvent &event_of(void *event) {
    return *static_cast<FakeEvent *>(event);
}

class FakeCuda : public Cuda {
  public:
    const char *name_of(CudaStatus status) override {
        return status == out_of_memory ? "cudaErrorMemoryAllocation"
               : status == success     ? "cudaSuccess"
                                       : "cudaErrorUnknown";
    }
    bool is_out_of_memory(CudaStatus status) override { return status == out_of_memory; }

    CudaStatus count_devices(int *count) override {
        *count = fake().device_count;
        return status_of("count_devices");
    }
    CudaStatus get_properties(int, GpuProperties *properties) override {
        *properties = {"Double", 8, 9};
        return status_of("get_properties");
    }
    CudaStatus get_device(int *device) override {
        *device = fake().current_device;
        return status_of("get_device");
    }
    CudaStatus set_device(int device) override {
        if (const auto status = status_of(device == 0 ? "set_device" : "set_device back")) {
            return status;
        }
        fake().current_device = device;
        return success;
    }

    CudaStatus allocate_device(std::size_t bytes, void **memory) override {
        return allocate("allocate_device", "device memory", bytes, memory);
    }
    CudaStatus free_device(void *memory) override {
        return release("free_device", "device memory", memory);
    }
    CudaStatus allocate_pinned(std::size_t bytes, void **memory) override {
        return allocate("allocate_pinned", "pinned memory", bytes, memory);
    }
    CudaStatus free_pinned(void *memory) override {
        return release("free_pinned", "pinned memory", memory);
    }

    CudaStatus create_stream(void **stream) override {
        return make<FakeStream>("create_stream", "stream", stream);
    }
    CudaStatus destroy_stream(void *stream) override {
        const auto &old = stream_of(stream);
        if (!old.pending.empty() || old.capturing) fake().violations.push_back("busy stream");
        return destroy<FakeStream>("destroy_stream", "stream", stream);
    }
    CudaStatus wait_for_stream(void *stream) override {
        drain(stream_of(stream));  // also where it fails: nothing is going on then either
        return status_of("wait_for_stream");
    }
    CudaStatus upload(void *to, const void *from, std::size_t bytes, void *stream) override {
        return copy("upload", to, from, bytes, stream);
    }
    CudaStatus download(void *to, const void *from, std::size_t bytes, void *stream) override {
        return copy("download", to, from, bytes, stream);
    }

    CudaStatus create_event(void **event) override {
        return make<FakeEvent>("create_event", "event", event);
    }
    CudaStatus destroy_event(void *event) override {
        return destroy<FakeEvent>("destroy_event", "event", event);
    }
    CudaStatus record_event(void *event, void *stream) override {
        if (const auto status = status_of("record_event")) return status;
        event_of(event).stream = &stream_of(stream);
        return success;
    }
    CudaStatus wait_for_event(void *event) override {
        if (event_of(event).stream != nullptr) drain(*event_of(event).stream);
        return status_of("wait_for_event");
    }
    CudaStatus queue_wait_for_event(void *stream, void *event) override {
        if (const auto status = status_of("queue_wait_for_event")) return status;
        auto *recorded = event_of(event).stream;
        if (recorded == nullptr || recorded == stream) return success;
        stream_of(stream).pending.emplace_back([recorded] { drain(*recorded); });
        return success;
    }

    CudaStatus is_capturing(void *stream, bool *capturing) override {
        *capturing = stream_of(stream).capturing;
        return status_of("is_capturing");
    }
    CudaStatus begin_capture(void *stream) override {
        if (const auto status = status_of("begin_capture")) return status;
        stream_of(stream).capturing = true;
        ++fake().captures;
        return success;
    }
    CudaStatus end_capture(void *stream, void **graph) override {  // it ends also where it fails
        stream_of(stream).capturing = false;
        --fake().captures;
        auto recorded = std::move(stream_of(stream).recorded);
        stream_of(stream).recorded.clear();
        if (const auto status = make<FakeGraph>("end_capture", "graph", graph)) return status;
        *static_cast<FakeGraph *>(*graph) = std::move(recorded);
        return success;
    }
    CudaStatus destroy_graph(void *graph) override {
        return destroy<FakeGraph>("destroy_graph", "graph", graph);
    }
    CudaStatus instantiate_graph(void *graph, void **launchable) override {
        if (const auto status = make<FakeGraph>("instantiate_graph", "launchable", launchable)) {
            return status;
        }
        *static_cast<FakeGraph *>(*launchable) = *static_cast<FakeGraph *>(graph);
        return success;
    }
    CudaStatus launch_graph(void *launchable, void *stream) override {
        if (const auto status = status_of("launch_graph")) return status;
        for (const auto &work : *static_cast<FakeGraph *>(launchable)) {
            stream_of(stream).pending.push_back(work);
        }
        ++fake().launches;
        return success;
    }
    CudaStatus destroy_launchable(void *launchable) override {
        return destroy<FakeGraph>("destroy_launchable", "launchable", launchable);
    }

  private:
    static CudaStatus copy(const char *call, void *to, const void *from, std::size_t bytes,
                           void *stream) {
        if (const auto status = status_of(call)) return status;
        auto &queue = stream_of(stream);
        auto &works = queue.capturing ? queue.recorded : queue.pending;
        works.emplace_back([=] { std::memcpy(to, from, bytes); });
        return success;
    }
};

}  // namespace

Cuda &cuda() {
    static FakeCuda one;
    return one;
}

}  // namespace drsformer::tensorrt
