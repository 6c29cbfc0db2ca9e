// An ONNX file that OpenVINO runs; runtime/backends/openvino_backend.py is the same in Python.
//
// OpenVINO plans layouts and memory when it compiles, and plans best for sizes that it knows. So
// the model is compiled for each input shape.
#ifndef DRSFORMER_BACKENDS_OPENVINO_MODEL_HPP
#define DRSFORMER_BACKENDS_OPENVINO_MODEL_HPP

#include <map>
#include <memory>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/infer_request.hpp>
#include <string>

#include "aligned_buffer.hpp"
#include "backend.h"
#include "device.hpp"
#include "shape_cache.hpp"

namespace drsformer::openvino {

// All that is needed to run inputs of one shape; OpenVINO reads and writes the buffers themselves.
struct PreparedShape {
    backend::AlignedBuffer input;
    backend::AlignedBuffer output;
    ov::InferRequest request;
};

// Its functions are those of drs_backend, and throw Failure or OpenVINO's exceptions where they
// fail.
class Model {
  public:
    explicit Model(const drs_backend_settings &settings);

    const drs_backend_info &info() const noexcept { return info_; }
    const char *metadata(const char *key) const;
    PreparedShape &prepare(const backend::Shape &shape, bool as_large);
    void run();
    void release() noexcept;

  private:
    // Compiles the model for one input shape.
    std::unique_ptr<PreparedShape> make(const backend::Shape &shape);

    ov::Core core_;
    Device device_;
    std::shared_ptr<ov::Model> model_;
    drs_backend_info info_;
    std::map<std::string, std::string> metadata_;
    backend::ShapeCache<PreparedShape> shapes_;
    PreparedShape *ready_ = nullptr;  // what `run` runs; none before `prepare`
};

}  // namespace drsformer::openvino

#endif  // DRSFORMER_BACKENDS_OPENVINO_MODEL_HPP
