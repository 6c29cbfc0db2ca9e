#include "refit.hpp"

namespace drsformer::tensorrt {

bool has_refit() {
    return false;
}

bool refit_engine(nvinfer1::ICudaEngine & /*engine*/, nvinfer1::ILogger & /*logger*/,
                  const std::string & /*onnx_file*/, std::string *reason) {
    *reason = "this build has no ONNX parser";
    return false;
}

}  // namespace drsformer::tensorrt
