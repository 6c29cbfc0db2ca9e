// Weights for engines that were built without: in onnx_refit.cpp with TensorRT's ONNX parser, in
// no_refit.cpp where this build has none. CMake takes one of them.
#ifndef DRSFORMER_TENSORRT_REFIT_HPP
#define DRSFORMER_TENSORRT_REFIT_HPP

#include <NvInfer.h>

#include <string>

namespace drsformer::tensorrt {

bool has_refit();

// Puts the weights of an ONNX file into an engine; see Engine::refit.
bool refit_engine(nvinfer1::ICudaEngine &engine, nvinfer1::ILogger &logger,
                  const std::string &onnx_file, std::string *reason);

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_REFIT_HPP
