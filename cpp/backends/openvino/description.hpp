// What a model that OpenVINO has read says of itself.
#ifndef DRSFORMER_BACKENDS_OPENVINO_DESCRIPTION_HPP
#define DRSFORMER_BACKENDS_OPENVINO_DESCRIPTION_HPP

#include <map>
#include <openvino/core/model.hpp>
#include <string>

#include "backend.h"

namespace drsformer::openvino {

// Describes inputs and outputs; the rest is zero.
drs_backend_info describe(const ov::Model &model);

// Returns the ONNX file's metadata, by key.
std::map<std::string, std::string> metadata_of(const ov::Model &model);

}  // namespace drsformer::openvino

#endif  // DRSFORMER_BACKENDS_OPENVINO_DESCRIPTION_HPP
