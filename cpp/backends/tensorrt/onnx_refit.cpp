#include <NvOnnxParser.h>

#include <memory>

#include "one_line.hpp"
#include "refit.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::size_t longest_reason = 320;

std::string errors_of(const nvonnxparser::IParserRefitter &parser) {
    std::string text;
    for (int i = 0; i < parser.getNbErrors(); ++i) {
        text += (text.empty() ? "" : "; ") + std::string(parser.getError(i)->desc());
    }
    return one_line(text, longest_reason);
}

}  // namespace

bool has_refit() {
    return true;
}

bool refit_engine(nvinfer1::ICudaEngine &engine, nvinfer1::ILogger &logger,
                  const std::string &onnx_file, std::string *reason) {
    const std::unique_ptr<nvinfer1::IRefitter> refitter(
        nvinfer1::createInferRefitter(engine, logger));
    if (!refitter) return false;
    const std::unique_ptr<nvonnxparser::IParserRefitter> parser(
        nvonnxparser::createParserRefitter(*refitter, logger));
    if (!parser) return false;
    if (parser->refitFromFile(onnx_file.c_str()) && refitter->refitCudaEngine()) return true;
    *reason = errors_of(*parser);
    return false;
}

}  // namespace drsformer::tensorrt
