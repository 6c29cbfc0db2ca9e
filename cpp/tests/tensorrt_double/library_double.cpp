// The library of the double.
#include <cstring>

#include "backend.h"
#include "double.hpp"
#include "shape.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::size_t context_bytes = 64;

// Fails a call of the library, which then says why in its log.
bool refused(const std::string &call) {
    if (!fake().fails(call)) return false;
    library().log().add(("the double refuses\n" + call).c_str());
    return true;
}

class FakeContext : public Context {
  public:
    FakeContext() { ++fake().alive["context"]; }
    ~FakeContext() override {
        --fake().alive["context"];
        if (fake().alive["engine"] == 0) fake().violations.emplace_back("engine before context");
        if (memory_ != nullptr && fake().memory.count(memory_) == 0) {
            fake().violations.emplace_back("memory before context");
        }
    }

    bool set_profile(int, void *) override { return !refused("set_profile"); }
    bool set_input_shape(const std::string &, const InputShape &shape) override {
        shape_ = shape;
        return !refused("set_input_shape");
    }
    bool get_shape(const std::string &, InputShape *shape) override {
        *shape = shape_;
        return !refused("get_shape");
    }
    bool set_input(const std::string &, const void *address) override {
        input_ = address;
        return !refused("set_input");
    }
    bool set_output(const std::string &, void *address) override {
        output_ = address;
        return !refused("set_output");
    }
    std::size_t memory_needed() override { return refused("memory_needed") ? 0 : context_bytes; }
    void set_memory(void *memory, std::size_t) override { memory_ = memory; }
    bool queue(void *stream) override {
        if (refused("queue")) return false;
        auto &fakes = *static_cast<FakeStream *>(stream);
        auto &works = fakes.capturing ? fakes.recorded : fakes.pending;
        const auto bytes = backend::byte_count(shape_, fake().tensors[0].dtype);
        works.emplace_back([memory = memory_, input = input_, output = output_, bytes] {
            std::memset(memory, 1, context_bytes);  // its activations
            std::memcpy(output, input, bytes);
        });
        return true;
    }

  private:
    InputShape shape_ = {};
    const void *input_ = nullptr;
    void *output_ = nullptr;
    void *memory_ = nullptr;
};

class FakeEngine : public Engine {
  public:
    FakeEngine() { ++fake().alive["engine"]; }
    ~FakeEngine() override {
        --fake().alive["engine"];
        if (fake().alive["context"] != 0) fake().violations.emplace_back("context after engine");
    }

    std::vector<EngineTensor> tensors() override { return fake().tensors; }
    std::unique_ptr<Context> new_context() override {
        fake().devices.insert(fake().current_device);
        if (refused("new_context")) return nullptr;
        return std::make_unique<FakeContext>();
    }
    bool refit(const std::string &onnx_file, std::string *) override {
        fake().refitted = onnx_file;
        return !refused("refit");
    }
    std::string kernels() override { return refused("kernels") ? "" : fake().kernels; }
    bool set_kernels(const std::string &kernels) override {
        fake().set_kernels = kernels;
        return !refused("set_kernels");
    }
};

class FakeLibrary : public Library {
  public:
    const char *name() override { return fake().name.c_str(); }
    std::string version() override { return fake().version; }
    bool records_graphs() override { return fake().name == "tensorrt_rtx"; }
    bool can_refit() override { return fake().can_refit; }
    MessageLog &log() override { return log_; }
    std::unique_ptr<Engine> load(const std::string &, bool runs_host_code) override {
        fake().devices.insert(fake().current_device);
        fake().host_code = runs_host_code;
        if (refused("load")) return nullptr;
        return std::make_unique<FakeEngine>();
    }

  private:
    MessageLog log_;
};

}  // namespace

Library &library() {
    static FakeLibrary one;
    return one;
}

}  // namespace drsformer::tensorrt
