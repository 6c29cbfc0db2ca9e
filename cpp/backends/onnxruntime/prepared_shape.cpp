#include "prepared_shape.hpp"

namespace drsformer::onnxruntime {
namespace {

ONNXTensorElementDataType type_of(std::int32_t dtype) noexcept {
    switch (dtype) {
        case DRS_FLOAT32:
            return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        case DRS_FLOAT16:
            return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
        case DRS_UINT8:
            return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
        default:
            return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    }
}

}  // namespace

Tensor::Tensor(const Library &library, const backend::Shape &shape, std::int32_t dtype)
    : buffer_(backend::byte_count(shape, dtype)), value_(nullptr, library.api().ReleaseValue) {
    const auto &api = library.api();
    OrtMemoryInfo *made = nullptr;
    library.check(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &made));
    const auto memory = Library::own(made, api.ReleaseMemoryInfo);
    OrtValue *value = nullptr;
    library.check(api.CreateTensorWithDataAsOrtValue(memory.get(), buffer_.data(), buffer_.size(),
                                                     shape.data(), shape.size(), type_of(dtype),
                                                     &value));
    value_.reset(value);
}

}  // namespace drsformer::onnxruntime
