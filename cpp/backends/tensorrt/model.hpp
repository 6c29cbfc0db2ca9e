// Runs an engine: the machine is compared with its manifest before the library sees it, and every
// failure says which engine, input and GPU it is about.
//
// For each of the last two input shapes it keeps a context, buffers, and from the second run on a
// CUDA graph: a video has one shape, and so have tiles.
#ifndef DRSFORMER_TENSORRT_MODEL_HPP
#define DRSFORMER_TENSORRT_MODEL_HPP

#include <filesystem>
#include <list>
#include <string_view>
#include <utility>

#include "backend.h"
#include "execution.hpp"
#include "gpu.hpp"
#include "manifest.hpp"

namespace drsformer::tensorrt {

// One for each of the last input shapes, the latest first.
template <typename Made>
using Kept = std::list<std::pair<InputShape, std::unique_ptr<Made>>>;

// All functions throw Failure. Those that use the GPU make it the current one of the thread, and
// the one before it again.
class Model {
  public:
    explicit Model(const drs_backend_settings &settings);
    ~Model();
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    // Loads the engine; it is apart from the constructor so that a failure half-way frees what
    // there is on the right GPU.
    void load();

    drs_backend_info info() const;
    const char *metadata(std::string_view key) const;
    Execution &prepare(const InputShape &shape);
    void run();
    void release() noexcept;
    void run_on_device(const void *input, void *output, const InputShape &shape, void *stream);

  private:
    template <typename Work>
    void on_gpu(const InputShape *shape, const Work &work) const;
    template <typename Made>
    Made &kept(Kept<Made> &all, const InputShape &shape);
    [[noreturn]] void refuse(const Fault &fault, const InputShape *shape) const;
    void fill(drs_tensor_info &tensor, const std::string &name) const;

    std::filesystem::path path_;
    Manifest manifest_;
    Gpu gpu_;
    OpenEngine engine_;
    Stream stream_;
    Kept<Execution> executions_;
    Kept<DeviceExecution> device_executions_;
    Execution *current_ = nullptr;  // of the last prepare
    InputShape current_shape_ = {};
};

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_MODEL_HPP
