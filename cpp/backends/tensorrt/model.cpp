#include "model.hpp"

#include <algorithm>

#include "failure.hpp"
#include "loaded_engine.hpp"
#include "tensor_info.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::size_t shapes_kept = 2;

Manifest manifest_from(const drs_backend_settings &settings) {
    const std::string path = settings.path;
    if (settings.manifest == nullptr) {
        throw Failure(DRS_ENGINE_ERROR, path +
                                            " was opened without its manifest, so what it was "
                                            "built for is unknown; copy " +
                                            path + ".json too");
    }
    return manifest_from_text(settings.manifest, manifest_path(path).string());
}

void check_flavor(const Manifest &manifest, const std::filesystem::path &path) {
    if (manifest.flavor == library().name()) return;
    throw Failure(DRS_ENGINE_ERROR, path.string() + " is an engine of " +
                                        library_title(manifest.flavor) + ", and provider '" +
                                        library().name() + "' was asked for; it runs with " +
                                        manifest.flavor);
}

const char *remedy(const Fault &fault) {
    return fault.out_of_memory
               ? "the GPU's memory is not enough: derain in smaller tiles, or build for smaller "
                 "--shapes"
               : "free the GPU's memory and try again, or build the engine again on this machine";
}

}  // namespace

Model::Model(const drs_backend_settings &settings)
    : path_(settings.path), manifest_(manifest_from(settings)) {
    check_flavor(manifest_, path_);
    check_version(manifest_, library().version(), path_);
    check_platform(manifest_, platform_here(), path_);
    gpu_ = gpu_here(settings.device);
    check_gpu(manifest_, gpu_.name, gpu_.compute_capability, path_);
}

Model::~Model() {
    const CurrentDevice device(gpu_.device);
    release();
    stream_.reset();
    if (engine_.engine) keep_kernels(*engine_.engine, path_);
    engine_.engine.reset();
}

void Model::load() {
    on_gpu(nullptr, [this] {
        engine_ = engine_from_file(path_, manifest_);
        stream_ = new_stream();
    });
}

drs_backend_info Model::info() const {
    drs_backend_info info = {};
    info.inputs = 1;
    info.outputs = 1;
    fill(info.input, manifest_.input_name);
    fill(info.output, manifest_.output_name);
    info.most_images = static_cast<std::int32_t>(info.input.most[0]);
    return info;
}

const char *Model::metadata(std::string_view key) const {
    return key == "contract" ? manifest_.contract_json.c_str() : nullptr;
}

Execution &Model::prepare(const InputShape &shape) {
    current_ = nullptr;
    current_ = &kept(executions_, shape);
    current_shape_ = shape;
    return *current_;
}

void Model::run() {
    if (current_ == nullptr) {
        throw Failure(DRS_INTERNAL_ERROR, path_.string() + " was run before an input was prepared");
    }
    on_gpu(&current_shape_, [this] { current_->run(); });
}

void Model::release() noexcept {
    const CurrentDevice device(gpu_.device);
    current_ = nullptr;
    executions_.clear();
    device_executions_.clear();
}

void Model::run_on_device(const void *input, void *output, const InputShape &shape, void *stream) {
    auto &execution = kept(device_executions_, shape);
    on_gpu(&shape, [&] { execution.queue(input, output, stream); });
}

// Does work with the engine's GPU as the current one.
template <typename Work>
void Model::on_gpu(const InputShape *shape, const Work &work) const {
    try {
        const CurrentDevice device(gpu_.device);
        check(device.status());
        work();
    } catch (const Fault &fault) {
        refuse(fault, shape);
    }
}

// Returns what is kept for a shape, or makes it, after the oldest has been freed.
template <typename Made>
Made &Model::kept(Kept<Made> &all, const InputShape &shape) {
    const auto profile = check_profile(manifest_, shape, path_);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto &one) { return one.first == shape; });
    if (found != all.end()) {
        all.splice(all.begin(), all, found);
        return *found->second;
    }
    on_gpu(&shape, [&] {
        while (all.size() >= shapes_kept) all.pop_back();
        auto made = std::make_unique<Made>(engine_, shape, profile, stream_.get());
        all.emplace_front(shape, std::move(made));
    });
    return *all.front().second;
}

void Model::refuse(const Fault &fault, const InputShape *shape) const {
    const auto where = shape == nullptr ? "" : " on an input of " + shape_text(*shape);
    throw Failure(DRS_ENGINE_ERROR, path_.string() + " failed" + where + " on GPU " +
                                        std::to_string(gpu_.device) + " (" + gpu_.name +
                                        "): " + fault.what() + "; " + remedy(fault));
}

// Describes a tensor; a size is fixed where all profiles have one and the same.
void Model::fill(drs_tensor_info &tensor, const std::string &name) const {
    backend::set_name(tensor, name);
    tensor.dtype = engine_.dtype;
    tensor.rank = 4;
    const auto &first = manifest_.profiles.front();
    std::copy(first.min.begin(), first.min.end(), tensor.least);
    std::copy(first.max.begin(), first.max.end(), tensor.most);
    for (const auto &profile : manifest_.profiles) {
        for (std::size_t i = 0; i < profile.min.size(); ++i) {
            tensor.least[i] = std::min(tensor.least[i], profile.min[i]);
            tensor.most[i] = std::max(tensor.most[i], profile.max[i]);
        }
    }
    for (std::size_t i = 0; i < first.min.size(); ++i) {
        tensor.shape[i] = tensor.least[i] == tensor.most[i] ? tensor.least[i] : backend::any_size;
    }
}

}  // namespace drsformer::tensorrt
