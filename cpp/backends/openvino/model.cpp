#include "model.hpp"

#include <algorithm>
#include <exception>
#include <openvino/frontend/manager.hpp>
#include <openvino/runtime/compiled_model.hpp>
#include <openvino/runtime/properties.hpp>
#include <openvino/runtime/tensor.hpp>
#include <string>

#include "description.hpp"
#include "module_failure.hpp"
#include "trim.hpp"

namespace drsformer::openvino {
namespace {

using backend::Failure;

constexpr std::int32_t sample_side = 256;  // one sample only, because it is compiled for each

Failure cannot_start(const std::exception &error) {
    return {DRS_PROVIDER_ERROR, "OpenVINO cannot start (" + backend::reason_of(error.what()) +
                                    "); install it again, with all of its files"};
}

ov::Core start() {
    try {
        return ov::Core();
    } catch (const std::exception &error) {
        throw cannot_start(error);
    }
}

// Sets where compiled models are kept; OpenVINO makes the folder.
void use_cache(ov::Core &core, const char *folder) {
    if (folder == nullptr) return;
    try {
        core.set_property(ov::cache_dir(folder));
    } catch (const std::exception &error) {
        throw Failure(DRS_PROVIDER_ERROR, "OpenVINO cannot keep compiled models in " +
                                              std::string(folder) + " (" +
                                              backend::reason_of(error.what()) +
                                              "); choose another folder as options.cache");
    }
}

ov::frontend::FrontEnd::Ptr onnx_reader(ov::frontend::FrontEndManager &readers) {
    try {
        return readers.load_by_framework("onnx");
    } catch (const std::exception &error) {
        throw cannot_start(error);
    }
}

std::shared_ptr<ov::Model> read(ov::Core &core, const std::string &path) {
    ov::frontend::FrontEndManager readers;
    const auto reader = onnx_reader(readers);
    try {
        // read_model would try all formats on a file that is no model, and TensorFlow's prints
        if (!reader->supported(path)) throw Failure(DRS_MODEL_ERROR, "it is not an ONNX file");
        return core.read_model(path);
    } catch (const Failure &) {
        throw;
    } catch (const std::exception &error) {
        throw Failure(
            DRS_MODEL_ERROR,
            backend::lost_weights(error.what()).value_or(backend::reason_of(error.what())));
    }
}

ov::Tensor view_of(const backend::AlignedBuffer &buffer, const ov::element::Type &type,
                   const ov::Shape &shape) {
    return ov::Tensor(type, shape, buffer.data());
}

}  // namespace

Model::Model(const drs_backend_settings &settings)
    : core_(start()),
      device_(find_device(core_, settings)),
      model_(read(core_, settings.path)),
      info_(describe(*model_)),
      metadata_(metadata_of(*model_)) {
    use_cache(core_, settings.cache);
    if (!device_.on_cpu) return;
    info_.measures_memory = 1;
    info_.samples[0][0] = info_.samples[0][1] = sample_side;
}

const char *Model::metadata(const char *key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? nullptr : found->second.c_str();
}

PreparedShape &Model::prepare(const backend::Shape &shape, bool) {
    ready_ = nullptr;
    backend::byte_count(shape, info_.input.dtype);  // throws for what cannot be
    ready_ = &shapes_.get({shape, false}, [&] { return make(shape); });
    return *ready_;
}

void Model::run() {
    if (ready_ == nullptr) throw Failure(DRS_INTERNAL_ERROR, "no input shape is prepared");
    ready_->request.infer();
}

void Model::release() noexcept {
    ready_ = nullptr;
    shapes_.clear();
    backend::trim();
}

std::unique_ptr<PreparedShape> Model::make(const backend::Shape &shape) {
    ov::Shape sizes(shape.size());
    std::transform(shape.begin(), shape.end(), sizes.begin(),
                   [](std::int64_t size) { return static_cast<std::size_t>(size); });
    const auto model = model_->clone();
    model->reshape(ov::PartialShape(sizes));
    auto request =
        core_.compile_model(model, device_.name, device_.properties).create_infer_request();
    auto prepared = std::make_unique<PreparedShape>(PreparedShape{
        backend::AlignedBuffer(backend::byte_count(shape, info_.input.dtype)),
        backend::AlignedBuffer(backend::byte_count(shape, info_.output.dtype)), request});
    request.set_input_tensor(view_of(prepared->input, model->input().get_element_type(), sizes));
    request.set_output_tensor(view_of(prepared->output, model->output().get_element_type(), sizes));
    return prepared;
}

}  // namespace drsformer::openvino
