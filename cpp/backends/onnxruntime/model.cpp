#include "model.hpp"

#include <cstdint>

#include "module_failure.hpp"
#include "trim.hpp"

namespace drsformer::onnxruntime {
namespace {

using backend::Failure;

// A session is told its sizes up to this many pixels in a batch: that is 11 % faster, but the full
// network then takes 15.1 instead of 12.5 GB for a frame of 1920x1080.
constexpr std::int64_t most_fixed_pixels = std::int64_t{1024} * 1024;

// ONNX Runtime cuts its blocks in halves, so sides that are powers of two can take a sixth less
// than all others. Smaller samples are less exact, larger ones take longer.
constexpr std::int32_t samples[2][2] = {{192, 256}, {256, 256}};

Source source_of(const drs_backend_settings &settings) {
    const auto &library =
        Library::get(settings.onnxruntime_library == nullptr ? "" : settings.onnxruntime_library);
    const auto &provider = find_provider(library, settings.provider);
    return {library, provider, settings.path, settings.threads, settings.device};
}

void set_memory(drs_backend_info &info) noexcept {
    info.measures_memory = 1;
    info.most_fixed_pixels = most_fixed_pixels;
    for (int i = 0; i < 2; ++i) {
        info.samples[i][0] = samples[i][0];
        info.samples[i][1] = samples[i][1];
    }
}

}  // namespace

Model::Model(const drs_backend_settings &settings)
    : source_(source_of(settings)),
      state_(backend::file_state(source_.path)),
      general_(open_general()),
      description_(describe(source_.ort, general_.get())),
      input_name_(description_.info.input.name),
      output_name_(description_.info.output.name) {
    if (source_.provider.on_cpu) {
        general_.reset();
        set_memory(description_.info);
    }
}

const char *Model::metadata(const char *key) const {
    const auto found = description_.metadata.find(key);
    return found == description_.metadata.end() ? nullptr : found->second.c_str();
}

PreparedShape &Model::prepare(const backend::Shape &shape, bool as_large) {
    ready_ = nullptr;
    backend::byte_count(shape, description_.info.input.dtype);  // throws for what cannot be
    const auto is_large =
        source_.provider.on_cpu && (as_large || backend::pixels_of(shape) > most_fixed_pixels);
    const backend::ShapeKey key = {shape, is_large};
    ready_ = &shapes_.get(key, [&] { return make(key); });
    return *ready_;
}

void Model::run() {
    if (ready_ == nullptr) throw Failure(DRS_INTERNAL_ERROR, "no input shape is prepared");
    const auto &library = source_.ort;
    auto *const session = general_ ? general_.get() : ready_->session.get();
    const auto *const input_name = input_name_.c_str();
    const auto *const output_name = output_name_.c_str();
    const OrtValue *const input = ready_->input.value();
    auto *output = ready_->output.value();
    library.check(
        library.api().Run(session, nullptr, &input_name, &input, 1, &output_name, 1, &output));
}

void Model::release() noexcept {
    ready_ = nullptr;
    shapes_.clear();
    backend::trim();
}

Session Model::open_general() const {
    // a graph is optimised when its shape is known: here, or in open_for
    const auto options = make_options(source_, !source_.provider.on_cpu);
    return open_session(source_, options.get());
}

std::unique_ptr<PreparedShape> Model::make(const backend::ShapeKey &key) const {
    const auto &library = source_.ort;
    const auto &info = description_.info;
    auto session = general_ ? Session(nullptr, library.api().ReleaseSession) : open_for(key);
    return std::make_unique<PreparedShape>(
        PreparedShape{std::move(session), Tensor(library, key.shape, info.input.dtype),
                      Tensor(library, key.shape, info.output.dtype)});
}

Session Model::open_for(const backend::ShapeKey &key) const {
    if (backend::file_state(source_.path) != state_) {
        throw Failure(DRS_MODEL_ERROR, "it has changed since it was opened; open it again");
    }
    const auto &library = source_.ort;
    const auto options = make_options(source_, true);
    for (std::size_t axis = 0; axis < key.shape.size() && !key.as_large; ++axis) {
        const auto &name = description_.axes[axis];
        if (name.empty()) continue;
        library.check(library.api().AddFreeDimensionOverrideByName(options.get(), name.c_str(),
                                                                   key.shape[axis]));
    }
    auto session = open_session(source_, options.get());
    backend::trim();
    return session;
}

}  // namespace drsformer::onnxruntime
