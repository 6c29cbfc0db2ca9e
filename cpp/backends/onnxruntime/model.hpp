// An ONNX file that ONNX Runtime runs; runtime/backends/onnxruntime_backend.py is the same in
// Python.
//
// On the CPU each input shape has its own session: with sizes that it knows, ONNX Runtime can prove
// shapes equal and fuses a convolution with the sum and the activation behind it. That takes
// memory, so the session of a large shape is not told its sizes.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_MODEL_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_MODEL_HPP

#include <memory>
#include <string>

#include "backend.h"
#include "description.hpp"
#include "file_state.hpp"
#include "prepared_shape.hpp"
#include "session.hpp"
#include "shape_cache.hpp"

namespace drsformer::onnxruntime {

// Its functions are those of drs_backend, and throw Failure or OrtError where they fail.
class Model {
  public:
    explicit Model(const drs_backend_settings &settings);

    const drs_backend_info &info() const noexcept { return description_.info; }
    const char *metadata(const char *key) const;
    PreparedShape &prepare(const backend::Shape &shape, bool as_large);
    void run();
    void release() noexcept;

  private:
    // Opens the file as Python's runtime does, described but not optimised where each shape gets a
    // session of its own.
    Session open_general() const;

    std::unique_ptr<PreparedShape> make(const backend::ShapeKey &key) const;

    // Opens the file again, for one input shape.
    Session open_for(const backend::ShapeKey &key) const;

    Source source_;
    backend::FileState state_;
    Session general_;  // runs all shapes; none where each has a session of its own
    Description description_;
    std::string input_name_;
    std::string output_name_;
    backend::ShapeCache<PreparedShape> shapes_;
    PreparedShape *ready_ = nullptr;  // what `run` runs; none before `prepare`
};

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_MODEL_HPP
