// What an opened ONNX file says of itself.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_DESCRIPTION_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_DESCRIPTION_HPP

#include <array>
#include <map>
#include <string>

#include "backend.h"
#include "library.hpp"

namespace drsformer::onnxruntime {

using Axes = std::array<std::string, 4>;  // names of free axes; "" for fixed ones
using Metadata = std::map<std::string, std::string>;

struct Description {
    drs_backend_info info = {};  // of inputs and outputs; the rest is zero
    Axes axes;                   // of the input
    Metadata metadata;
};

// Describes the file of a session; throws OrtError.
Description describe(const Library &library, const OrtSession *session);

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_DESCRIPTION_HPP
