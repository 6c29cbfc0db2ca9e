// An opened model file, checked to be one of ours; runtime/model.py is the same in Python.
#ifndef DRSFORMER_MODEL_HPP
#define DRSFORMER_MODEL_HPP

#include <array>
#include <memory>
#include <string>

#include "backend.h"
#include "contract.hpp"
#include "fitting.hpp"
#include "settings.hpp"

namespace drsformer {

// A loaded model; one thread at a time uses it.
class Model {
  public:
    // Opens a file and checks that it is a model that this version can feed. Throws Failure.
    Model(const std::string &path, const Settings &settings);

    const std::string &path() const { return path_; }
    const std::string &provider() const { return provider_; }
    const Contract &contract() const { return contract_; }
    const Limits &limits() const { return limits_; }
    bool is_engine() const { return is_engine_; }
    int64_t file_bytes() const { return file_bytes_; }

    // Whether the file holds our form of the network, not the plain one.
    bool is_deployed() const;

    // The only number of images that the model takes at once, 0 for any.
    int32_t fixed_batch() const { return batch_; }

    // The most images that one run takes, 0 for any number.
    int32_t most_images() const { return batch_ ? batch_ : info_.most_images; }

    // The sizes on which memory is measured, and whether it is this computer's.
    const drs_backend_info &info() const { return info_; }

    // Whether an image of so many pixels, padded, is run in a way that takes less memory.
    bool is_large(int64_t pixels) const;

    // Throws Failure (DRS_SHAPE_ERROR) for a size of inputs that the model does not take.
    void check_size(Size size) const;

    // The buffers of one input shape. They stay until the next `prepare` or `release`.
    struct Buffers {
        void *input;
        void *output;
        int64_t images;  // in each
    };

    // Does what comes before the first run of an input of `images` images, or as many as a model of
    // a fixed batch takes. Throws Failure (DRS_SHAPE_ERROR) for a size that the model does not
    // take.
    Buffers prepare(int32_t images, Size size);
    Buffers prepare_as(int32_t images, Size size, bool as_large);

    // Runs the network on the buffers of the last `prepare`. Throws Failure where the backend
    // fails, or the result is not finite.
    void run();

    // Gives back what is kept from earlier runs.
    void release();

    // The time spent inside the backend since the model was opened, in preparing and in running.
    double backend_seconds() const { return backend_seconds_; }

    // Queues a run on tensors of the GPU.
    void run_on_device(const void *input, void *output, const std::array<int64_t, 4> &shape,
                       void *stream);

  private:
    void check_tensors() const;
    void read_limits();
    [[noreturn]] void refuse_run(const drs_error &error) const;

    std::string path_;
    std::string provider_;
    bool is_engine_ = false;
    int64_t file_bytes_ = 0;
    const drs_backend *backend_ = nullptr;
    std::unique_ptr<void, void (*)(void *)> model_{nullptr, nullptr};
    drs_backend_info info_ = {};
    Contract contract_;
    Limits limits_;
    int32_t batch_ = 0;
    Buffers buffers_ = {};
    std::array<int64_t, 4> shape_ = {};
    double backend_seconds_ = 0.0;
};

}  // namespace drsformer

#endif  // DRSFORMER_MODEL_HPP
