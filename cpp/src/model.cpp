#include "model.hpp"

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "failure.hpp"
#include "modules.hpp"
#include "pixels.hpp"
#include "providers.hpp"
#include "scaling.hpp"

namespace drsformer {
namespace {

constexpr const char *export_it = "make one with `drs-export onnx`";
constexpr const char *metadata_key = "contract";

drs_error empty_error() {
    return DRS_ERROR_INIT;
}

const char *or_null(const std::string &text) {
    return text.empty() ? nullptr : text.c_str();
}

// Whether a backend says of a file what it has and what to do: "it has changed ...; open it again".
bool names_its_remedy(const std::string &reason) {
    return reason.compare(0, 7, "it has ") == 0;
}

// Turns what a backend says while a file is opened into a sentence about that file; see
// `drs_backend` for what it says.
[[noreturn]] void refuse_file(const std::string &path, const drs_error &error) {
    const std::string reason = error.message;
    if (error.status != DRS_MODEL_ERROR) throw Failure(error.status, reason);
    if (names_its_remedy(reason)) throw Failure(error.status, path + reason.substr(2));
    throw Failure(error.status, path + " is not a usable ONNX model: " + reason + "; " + export_it);
}

// Returns "?x3x?x?" for a tensor of three channels and otherwise free size.
std::string shape_text(const drs_tensor_info &tensor) {
    std::string text;
    for (int32_t axis = 0; axis < tensor.rank && axis < 4; ++axis) {
        const int64_t size = tensor.shape[axis];
        text += (axis ? "x" : "") + (size < 0 ? "?" : std::to_string(size));
    }
    return text;
}

std::string tensor_text(const drs_tensor_info &tensor) {
    return std::string(tensor.name) + ": " + dtype_text(tensor.dtype);
}

// Whether all values are finite: none has all bits of the exponent set.
template <typename Bits>
bool all_finite(const void *values, int64_t count, Bits exponent) {
    const auto *bits = static_cast<const Bits *>(values);
    bool finite = true;
    for (int64_t i = 0; i < count; ++i) finite = finite && (bits[i] & exponent) != exponent;
    return finite;
}

// Adds the time until the end of its scope to a sum.
class Stopwatch {
  public:
    explicit Stopwatch(double &seconds) : seconds_(seconds) {}
    ~Stopwatch() {
        seconds_ +=
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    Stopwatch(const Stopwatch &) = delete;
    Stopwatch &operator=(const Stopwatch &) = delete;

  private:
    double &seconds_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

int64_t product(const std::array<int64_t, 4> &shape) {
    return shape[0] * shape[1] * shape[2] * shape[3];
}

std::string shape_text(const std::array<int64_t, 4> &shape) {
    return "(" + std::to_string(shape[0]) + ", " + std::to_string(shape[1]) + ", " +
           std::to_string(shape[2]) + ", " + std::to_string(shape[3]) + ")";
}

}  // namespace

Model::Model(const std::string &path, const Settings &settings) : path_(path) {
    const Choice choice = choice_for(path, settings);
    provider_ = choice.provider;
    is_engine_ = !choice.manifest.empty();
    file_bytes_ = static_cast<int64_t>(std::filesystem::file_size(path));
    backend_ = &backend_of(choice.backend, settings.modules);
    drs_backend_settings given = {};
    // the program may change its folder, and some backends open the file again
    const std::string absolute = std::filesystem::absolute(path_).string();
    given.path = absolute.c_str();
    given.provider = provider_.c_str();
    given.onnxruntime_library = or_null(settings.onnxruntime_library);
    given.cache = or_null(settings.cache);
    given.manifest = or_null(choice.manifest);
    given.threads = settings.threads;
    given.device = settings.device;
    given.bf16 = settings.bf16 ? 1 : 0;
    drs_error error = empty_error();
    void *model = nullptr;
    if (backend_->open(&given, &model, &error) != DRS_OK) refuse_file(path_, error);
    model_ = {model, backend_->close};
    if (backend_->info(model, &info_, &error) != DRS_OK) refuse_file(path_, error);
    const char *contract = backend_->metadata(model, metadata_key);
    if (!contract) {
        throw Failure(DRS_MODEL_ERROR, path_ + " is an ONNX model without our '" + metadata_key +
                                           "' metadata, so how to feed it is unknown; " +
                                           export_it);
    }
    contract_ = contract_from_json(contract, path_);
    check_tensors();
    read_limits();
}

bool Model::is_deployed() const {
    const char *form = backend_->metadata(model_.get(), "form");
    return form && std::strcmp(form, "deployed") == 0;
}

bool Model::is_large(int64_t pixels) const {
    return info_.most_fixed_pixels > 0 && pixels * (batch_ ? batch_ : 1) > info_.most_fixed_pixels;
}

Model::Buffers Model::prepare(int32_t images, Size size) {
    // a model of a fixed batch runs all of its places, which is_large knows
    const int64_t pixels = int64_t{size[0]} * size[1] * (batch_ ? 1 : images);
    return prepare_as(images, size, is_large(pixels));
}

Model::Buffers Model::prepare_as(int32_t images, Size size, bool as_large) {
    check_size(size);
    const int32_t count = batch_ ? batch_ : images;
    shape_ = input_shape(contract_, count, size[0], size[1]);
    drs_error error = empty_error();
    buffers_ = {nullptr, nullptr, count};
    {
        const Stopwatch watch(backend_seconds_);
        error.status = backend_->prepare(model_.get(), shape_.data(), as_large ? 1 : 0,
                                         &buffers_.input, &buffers_.output, &error);
    }
    if (error.status != DRS_OK) refuse_run(error);
    return buffers_;
}

void Model::run() {
    drs_error error = empty_error();
    {
        const Stopwatch watch(backend_seconds_);
        error.status = backend_->run(model_.get(), &error);
    }
    if (error.status != DRS_OK) refuse_run(error);
    const int64_t values = product(shape_);
    const bool finite =
        contract_.dtype == DRS_FLOAT32   ? all_finite(buffers_.output, values, uint32_t{0x7F800000})
        : contract_.dtype == DRS_FLOAT16 ? all_finite(buffers_.output, values, uint16_t{0x7C00})
                                         : true;
    if (!finite) {
        throw Failure(DRS_MODEL_ERROR, path_ + " gave NaN or Inf for an input of shape " +
                                           shape_text(shape_) +
                                           "; its weights or its precision are broken, validate it "
                                           "with `drs-export validate`");
    }
}

void Model::release() {
    backend_->release(model_.get());
}

void Model::run_on_device(const void *input, void *output, const std::array<int64_t, 4> &shape,
                          void *stream) {
    if (!backend_->run_on_device) {
        throw Failure(DRS_PROVIDER_ERROR, path_ + " runs with provider '" + provider_ +
                                              "', which takes no tensors of the GPU; expected an "
                                              "engine of `drs-export trt`");
    }
    drs_error error = empty_error();
    error.status =
        backend_->run_on_device(model_.get(), input, output, shape.data(), stream, &error);
    if (error.status != DRS_OK) throw Failure(error.status, error.message);
}

void Model::check_tensors() const {
    for (const int64_t size : info_.input.shape) {
        if (size > longest_side) {
            throw Failure(DRS_MODEL_ERROR, path_ + " takes inputs of " + shape_text(info_.input) +
                                               "; expected sizes of at most " +
                                               std::to_string(longest_side) + "; " + export_it);
        }
    }
    const auto axis = contract_.takes_pixels() ? 3 : 1;  // of the channels
    bool fits = info_.inputs == 1 && info_.outputs == 1;
    const drs_tensor_info *tensors[] = {&info_.input, &info_.output};
    const std::string *names[] = {&contract_.input_name, &contract_.output_name};
    for (int i = 0; i < 2; ++i) {
        const drs_tensor_info &tensor = *tensors[i];
        const int64_t found = tensor.shape[axis];
        fits = fits && tensor.name == *names[i] && tensor.dtype == contract_.dtype &&
               tensor.rank == 4 && (found == channels || found < 0);
    }
    if (fits) return;
    throw Failure(
        DRS_MODEL_ERROR,
        path_ + " has " + std::to_string(info_.inputs) + " inputs and " +
            std::to_string(info_.outputs) + " outputs, the first ones " + tensor_text(info_.input) +
            " -> " + tensor_text(info_.output) + " of shapes " + shape_text(info_.input) + ", " +
            shape_text(info_.output) + "; its contract says " + contract_.input_name + ": " +
            dtype_text(contract_.dtype) + " -> " + contract_.output_name + ": " +
            dtype_text(contract_.dtype) +
            (contract_.takes_pixels() ? " of (N, H, W, 3); " : " of (N, 3, H, W); ") + export_it);
}

void Model::read_limits() {
    const drs_tensor_info &input = info_.input;
    batch_ = input.shape[0] > 0 ? static_cast<int32_t>(input.shape[0]) : 0;
    const std::size_t height = contract_.takes_pixels() ? 1 : 2;
    for (const std::size_t i : {0U, 1U}) {
        const std::size_t axis = height + i;
        if (input.most[axis] > 0) {  // an engine's range
            limits_.least[i] = static_cast<int32_t>(input.least[axis]);
            limits_.most[i] = static_cast<int32_t>(input.most[axis]);
        } else if (input.shape[axis] > 0) {
            limits_.least[i] = limits_.most[i] = static_cast<int32_t>(input.shape[axis]);
        }
    }
}

void Model::check_size(Size size) const {
    bool fits = true;
    for (const std::size_t i : {0U, 1U}) {
        const bool fixed = limits_.least[i] == limits_.most[i];
        fits = fits && (!fixed || size[i] == limits_.most[i]);
    }
    if (fits) return;
    const bool square = limits_.least == limits_.most && limits_.most[0] == limits_.most[1];
    throw Failure(DRS_SHAPE_ERROR,
                  "an image or tile is " + std::to_string(size[0]) + "x" + std::to_string(size[1]) +
                      " (height x width, padded to multiples of 8), but " + path_ + " was " +
                      (is_engine_ ? "built" : "exported") + " for " + limits_.text() + " only; " +
                      (square ? "use tiles of " + std::to_string(limits_.most[0]) +
                                    " for images of at least that size, or "
                              : std::string()) +
                      (is_engine_ ? "build it with other --shapes" : "export it with free sizes"));
}

void Model::refuse_run(const drs_error &error) const {
    const std::string reason = error.message;
    if (error.status != DRS_MODEL_ERROR) throw Failure(error.status, reason);
    if (names_its_remedy(reason)) throw Failure(error.status, path_ + reason.substr(2));
    throw Failure(error.status, path_ + " failed on an input of shape " + shape_text(shape_) +
                                    ": " + reason +
                                    "; if memory ran out, derain in pieces with tiles");
}

}  // namespace drsformer
