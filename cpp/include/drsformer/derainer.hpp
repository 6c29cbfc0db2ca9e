// Turns rainy images into clean ones with a model of drs-export. C++17, headers only: everything
// here calls derainer.h, so a program and the library may come from different compilers.
//
//     drsformer::Derainer derainer("derain.onnx");
//     derainer.derain({pixels, width, height, DRS_RGB8});           // in place
//     derainer.derain({rainy, width, height, DRS_BGR8, stride}, {clean, width, height, DRS_BGR8});
//
// Threads    One derainer may be used from several threads, whose calls wait for each other.
// Ownership  A Derainer or Camera owns its handle; it can be moved, not copied. ImageView owns
//            nothing.
// Failure    Every failure throws drsformer::Error, which has the status and one sentence. After
//            that the derainer can be used again.
#ifndef DRSFORMER_DERAINER_HPP
#define DRSFORMER_DERAINER_HPP

#if __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#error "derainer.hpp needs C++17: compile with -std=c++17, or CMAKE_CXX_STANDARD 17"
#endif

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "derainer.h"

namespace drsformer {

// What went wrong: what() is one sentence.
class Error : public std::runtime_error {
  public:
    explicit Error(const drs_error &error)
        : std::runtime_error(error.message), status_(error.status) {}

    // DRS_MODEL_ERROR, DRS_SHAPE_ERROR, ...
    drs_status status() const noexcept { return status_; }

  private:
    drs_status status_;
};

namespace detail {

// Calls a function of derainer.h, whose last argument is the error.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
    drs_error error = DRS_ERROR_INIT;
    if (function(arguments..., &error) != DRS_OK) throw Error(error);
}

}  // namespace detail

// A view of pixels that are only read.
struct ConstImageView {
    ConstImageView(const void *data, int32_t width, int32_t height, int32_t format,
                   std::size_t stride = 0)
        : image(drs_image_of(const_cast<void *>(data), width, height, format)) {
        image.stride = stride;
    }
    // NOLINTNEXTLINE(google-explicit-constructor): what can be written can be read
    ConstImageView(const drs_image &other) : image(other) {}

    drs_image image;  // everything else can be set here, such as NV12's chroma plane
};

// A view of the caller's pixels.
struct ImageView {
    ImageView(void *data, int32_t width, int32_t height, int32_t format, std::size_t stride = 0)
        : image(drs_image_of(data, width, height, format)) {
        image.stride = stride;
    }
    // NOLINTNEXTLINE(google-explicit-constructor): what can be written can be read
    operator ConstImageView() const { return {image}; }

    drs_image image;
};

enum class Blend : int32_t { uniform = DRS_BLEND_UNIFORM, feather = DRS_BLEND_FEATHER };

// How a model is run; see drs_options.
struct Options {
    int32_t threads = 0;
    std::string provider = {};
    std::string precision = {};
    int32_t device = 0;
    int32_t tile = DRS_TILE_AUTO;
    int32_t overlap = 32;
    Blend blend = Blend::uniform;
    std::string modules = {};
    std::string onnxruntime_library = {};
    std::string cache = {};
    std::function<void(const std::string &)> on_message = {};  // must not throw
};

// Called after each tile, or each image of a batch, with the number done and the number in all; it
// returns true to go on, and false to cancel the call. What it throws comes out of the call.
using OnTile = std::function<bool(int32_t done, int32_t total)>;

namespace detail {

// Hands progress through C, which no exception may cross.
class Progress {
  public:
    explicit Progress(const OnTile &on_tile) : on_tile_(on_tile) {}

    const drs_call *get() noexcept { return on_tile_ ? &call_ : nullptr; }

    // Calls a function of derainer.h; throws first what on_tile threw.
    template <typename Function, typename... Arguments>
    void run(Function function, Arguments... arguments) {
        drs_error error = DRS_ERROR_INIT;
        const drs_status status = function(arguments..., get(), &error);
        if (thrown_) std::rethrow_exception(thrown_);
        if (status != DRS_OK) throw Error(error);
    }

  private:
    static int32_t tell(void *user, int32_t done, int32_t total) noexcept {
        auto *self = static_cast<Progress *>(user);
        try {
            return self->on_tile_(done, total) ? 0 : 1;
        } catch (...) {
            self->thrown_ = std::current_exception();
            return 1;
        }
    }

    const OnTile &on_tile_;
    std::exception_ptr thrown_;
    drs_call call_ = {sizeof(drs_call), &Progress::tell, this};
};

}  // namespace detail

// An opened model.
class Derainer {
  public:
    // Opens an ONNX file or an engine.
    explicit Derainer(const std::string &path, const Options &options = {})
        : message_(options.on_message ? new Message(options.on_message) : nullptr) {
        const drs_options given = {sizeof(drs_options),
                                   options.threads,
                                   or_null(options.provider),
                                   or_null(options.precision),
                                   options.device,
                                   options.tile,
                                   options.overlap == 0 ? -1 : options.overlap,
                                   static_cast<int32_t>(options.blend),
                                   or_null(options.modules),
                                   or_null(options.onnxruntime_library),
                                   or_null(options.cache),
                                   message_ ? &Derainer::tell : nullptr,
                                   message_.get()};
        detail::call(drs_open, path.c_str(), &given, &handle_);
    }

    ~Derainer() { drs_close(handle_); }
    Derainer(Derainer &&other) noexcept
        : message_(std::move(other.message_)), handle_(std::exchange(other.handle_, nullptr)) {}
    Derainer &operator=(Derainer &&other) noexcept {
        std::swap(message_, other.message_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    Derainer(const Derainer &) = delete;
    Derainer &operator=(const Derainer &) = delete;

    // Derains an image into another buffer, or in place.
    void derain(const ConstImageView &rainy, const ImageView &clean, const OnTile &on_tile = {}) {
        detail::Progress(on_tile).run(drs_derain, handle_, &rainy.image, &clean.image);
    }
    void derain(const ImageView &image, const OnTile &on_tile = {}) {
        derain(image, image, on_tile);
    }

    // Derains several images; those of equal size share runs of the network. on_tile is told of
    // images here.
    void derain_batch(const std::vector<ImageView> &rainy, const std::vector<ImageView> &clean,
                      const OnTile &on_tile = {}) {
        if (rainy.size() != clean.size()) {
            drs_error error = {sizeof(drs_error), DRS_INVALID_ARGUMENT,
                               "there are more images of one kind, rainy or clean, than of the "
                               "other; expected as many"};
            throw Error(error);
        }
        static_assert(sizeof(ImageView) == sizeof(drs_image),
                      "an array of one is one of the other");
        if (rainy.empty()) return;
        detail::Progress(on_tile).run(drs_derain_batch, handle_, &rainy[0].image, &clean[0].image,
                                      rainy.size());
    }

    // Does what comes before the first image of a size.
    void warm_up(int32_t width, int32_t height) {
        detail::call(drs_warm_up, handle_, width, height);
    }

    // Ends the call that another thread is in.
    void cancel() { detail::call(drs_cancel, handle_); }

    drs_info info() const { return filled<drs_info>(drs_get_info, handle_); }
    drs_timings timings() const { return filled<drs_timings>(drs_get_timings, handle_); }
    drs_plan plan(int32_t width, int32_t height) const {
        return filled<drs_plan>(drs_get_plan, handle_, width, height);
    }

    // Queues a run of an engine on tensors of the GPU; see drs_run_on_device.
    void run_on_device(const void *input, void *output, int32_t images, int32_t height,
                       int32_t width, void *stream) {
        detail::call(drs_run_on_device, handle_, input, output, images, height, width, stream);
    }

    drs_derainer *handle() const noexcept { return handle_; }

  private:
    using Message = std::function<void(const std::string &)>;
    static const char *or_null(const std::string &text) {
        return text.empty() ? nullptr : text.c_str();
    }
    static void tell(void *user, const char *sentence) {
        (*static_cast<Message *>(user))(sentence);
    }

    template <typename Struct, typename Function, typename... Arguments>
    static Struct filled(Function function, Arguments... arguments) {
        Struct result = {};
        result.struct_size = sizeof(Struct);
        detail::call(function, arguments..., &result);
        return result;
    }

    friend class Camera;  // which keeps on_message, too

    std::shared_ptr<Message> message_;
    drs_derainer *handle_ = nullptr;
};

// Derains a camera's frames in a thread of its own; the newest frame wins. The Derainer may go
// first: the model is freed with its last camera.
class Camera {
  public:
    explicit Camera(const Derainer &derainer) : message_(derainer.message_) {
        detail::call(drs_camera_open, derainer.handle(), &handle_);
    }
    ~Camera() { drs_camera_close(handle_); }
    Camera(Camera &&other) noexcept
        : message_(std::move(other.message_)), handle_(std::exchange(other.handle_, nullptr)) {}
    Camera &operator=(Camera &&other) noexcept {
        std::swap(message_, other.message_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    Camera(const Camera &) = delete;
    Camera &operator=(const Camera &) = delete;

    // Copies a frame and returns at once; a frame that still waits is dropped.
    void submit(const ConstImageView &frame, uint64_t number = 0) {
        detail::call(drs_camera_submit, handle_, &frame.image, number);
    }

    // Waits until every frame that was submitted is done; false where that was not in time.
    bool drain(std::chrono::milliseconds timeout) {
        drs_error error = DRS_ERROR_INIT;
        const drs_status status = drs_camera_drain(handle_, timeout.count(), &error);
        if (status != DRS_OK && status != DRS_TIMED_OUT) throw Error(error);
        return status == DRS_OK;
    }

    // Waits for the newest result and writes it; returns the frame's number, or nothing where none
    // was ready in time. A negative timeout waits without end.
    std::optional<uint64_t> wait(const ImageView &clean, std::chrono::milliseconds timeout) {
        drs_error error = DRS_ERROR_INIT;
        uint64_t number = 0;
        const drs_status status =
            drs_camera_wait(handle_, &clean.image, &number, timeout.count(), &error);
        if (status == DRS_TIMED_OUT) return std::nullopt;
        if (status != DRS_OK) throw Error(error);
        return number;
    }

    drs_camera_counts counts() const {
        drs_camera_counts counts = {};
        counts.struct_size = sizeof counts;
        detail::call(drs_camera_get_counts, handle_, &counts);
        return counts;
    }

    // Ends the thread; a wait in another thread then throws.
    void close() noexcept { drs_camera_close(handle_); }

  private:
    std::shared_ptr<Derainer::Message> message_;
    drs_camera *handle_ = nullptr;
};

}  // namespace drsformer

#endif  // DRSFORMER_DERAINER_HPP
