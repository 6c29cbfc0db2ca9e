#include "description.hpp"

#include <vector>

#include "tensor_info.hpp"

namespace drsformer::openvino {
namespace {

constexpr auto metadata_place = "framework";  // where OpenVINO keeps an ONNX file's metadata

std::int32_t dtype_of(const ov::element::Type &type) {
    if (type == ov::element::f32) return DRS_FLOAT32;
    if (type == ov::element::f16) return DRS_FLOAT16;
    if (type == ov::element::u8) return DRS_UINT8;
    return DRS_OTHER_TYPE;
}

drs_tensor_info info_of(const ov::Output<const ov::Node> &port) {
    drs_tensor_info info = {};
    if (!port.get_names().empty()) backend::set_name(info, port.get_any_name());
    info.dtype = dtype_of(port.get_element_type());
    const auto &shape = port.get_partial_shape();
    if (shape.rank().is_dynamic()) return info;
    const std::vector<ov::Dimension> sizes(shape.begin(), shape.end());
    backend::set_shape(info, sizes.size(), [&sizes](std::size_t axis) {
        return sizes[axis].is_static() ? sizes[axis].get_length() : backend::any_size;
    });
    return info;
}

}  // namespace

drs_backend_info describe(const ov::Model &model) {
    drs_backend_info info = {};
    const auto inputs = model.inputs();
    const auto outputs = model.outputs();
    info.inputs = static_cast<std::int32_t>(inputs.size());
    info.outputs = static_cast<std::int32_t>(outputs.size());
    if (!inputs.empty()) info.input = info_of(inputs.front());
    if (!outputs.empty()) info.output = info_of(outputs.front());
    return info;
}

std::map<std::string, std::string> metadata_of(const ov::Model &model) {
    std::map<std::string, std::string> metadata;
    if (!model.has_rt_info(metadata_place)) return metadata;
    for (const auto &[key, value] : model.get_rt_info<ov::AnyMap>(metadata_place)) {
        metadata[key] = value.as<std::string>();
    }
    return metadata;
}

}  // namespace drsformer::openvino
