// All that ONNX Runtime needs to run inputs of one shape.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_PREPARED_SHAPE_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_PREPARED_SHAPE_HPP

#include "aligned_buffer.hpp"
#include "library.hpp"
#include "session.hpp"
#include "shape.hpp"

namespace drsformer::onnxruntime {

// The memory of a tensor, and ONNX Runtime's view of it.
class Tensor {
  public:
    Tensor(const Library &library, const backend::Shape &shape, std::int32_t dtype);

    void *data() const noexcept { return buffer_.data(); }
    OrtValue *value() const noexcept { return value_.get(); }

  private:
    backend::AlignedBuffer buffer_;
    Owned<OrtValue> value_;
};

// Input and output of one shape, which are reused by every run, and a session for this shape alone
// where there is one.
struct PreparedShape {
    Session session;
    Tensor input;
    Tensor output;
};

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_PREPARED_SHAPE_HPP
