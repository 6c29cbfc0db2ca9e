#include "description.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "tensor_info.hpp"

namespace drsformer::onnxruntime {
namespace {

// ONNX Runtime's allocator, for what it hands out.
class Texts {
  public:
    explicit Texts(const Library &library) : library_(library) {
        library.check(library.api().GetAllocatorWithDefaultOptions(&allocator_));
    }

    OrtAllocator *allocator() const noexcept { return allocator_; }

    // Takes over memory that came from the allocator.
    auto own(void *memory) const {
        const auto free = [this](void *owned) {
            library_.drop(library_.api().AllocatorFree(allocator_, owned));
        };
        return std::unique_ptr<void, decltype(free)>(memory, free);
    }

    // Copies a text and frees it; none is an empty one.
    std::string take(char *text) const {
        const auto owner = own(text);
        return text == nullptr ? std::string() : std::string(text);
    }

  private:
    const Library &library_;
    OrtAllocator *allocator_ = nullptr;
};

std::int32_t dtype_of(ONNXTensorElementDataType type) noexcept {
    switch (type) {
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
            return DRS_FLOAT32;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
            return DRS_FLOAT16;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
            return DRS_UINT8;
        default:
            return DRS_OTHER_TYPE;
    }
}

// Fills in element type and sizes.
void set_type(const Library &library, const OrtTensorTypeAndShapeInfo *tensor,
              drs_tensor_info &info) {
    const auto &api = library.api();
    auto type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    library.check(api.GetTensorElementType(tensor, &type));
    info.dtype = dtype_of(type);
    std::size_t rank = 0;
    library.check(api.GetDimensionsCount(tensor, &rank));
    std::vector<std::int64_t> sizes(rank);
    library.check(api.GetDimensions(tensor, sizes.data(), rank));
    backend::set_shape(info, rank, [&sizes](std::size_t axis) {
        return sizes[axis] < 0 ? backend::any_size : sizes[axis];
    });
}

// Fills in the names of a tensor's free axes.
void set_axes(const Library &library, const OrtTensorTypeAndShapeInfo *tensor, Axes &axes) {
    const auto &api = library.api();
    std::size_t rank = 0;
    library.check(api.GetDimensionsCount(tensor, &rank));
    std::vector<const char *> names(rank);
    library.check(api.GetSymbolicDimensions(tensor, names.data(), rank));
    std::copy_n(names.begin(), std::min(rank, axes.size()), axes.begin());
}

// Calls use(tensor) with a tensor's type; a sequence or a map, which is no tensor, is left out.
template <typename Use>
void with_type(const Library &library, OrtTypeInfo *type, Use use) {
    const auto owner = Library::own(type, library.api().ReleaseTypeInfo);
    const OrtTensorTypeAndShapeInfo *tensor = nullptr;
    library.check(library.api().CastTypeInfoToTensorInfo(type, &tensor));
    if (tensor != nullptr) use(tensor);
}

void set_input(const Library &library, const OrtSession *session, const Texts &texts,
               Description &description) {
    const auto &api = library.api();
    char *name = nullptr;
    library.check(api.SessionGetInputName(session, 0, texts.allocator(), &name));
    backend::set_name(description.info.input, texts.take(name));
    OrtTypeInfo *type = nullptr;
    library.check(api.SessionGetInputTypeInfo(session, 0, &type));
    with_type(library, type, [&](const OrtTensorTypeAndShapeInfo *tensor) {
        set_type(library, tensor, description.info.input);
        set_axes(library, tensor, description.axes);
    });
}

void set_output(const Library &library, const OrtSession *session, const Texts &texts,
                Description &description) {
    const auto &api = library.api();
    char *name = nullptr;
    library.check(api.SessionGetOutputName(session, 0, texts.allocator(), &name));
    backend::set_name(description.info.output, texts.take(name));
    OrtTypeInfo *type = nullptr;
    library.check(api.SessionGetOutputTypeInfo(session, 0, &type));
    with_type(library, type, [&](const OrtTensorTypeAndShapeInfo *tensor) {
        set_type(library, tensor, description.info.output);
    });
}

Metadata read_metadata(const Library &library, const OrtSession *session, const Texts &texts) {
    const auto &api = library.api();
    OrtModelMetadata *made = nullptr;
    library.check(api.SessionGetModelMetadata(session, &made));
    const auto metadata = Library::own(made, api.ReleaseModelMetadata);
    char **keys = nullptr;
    std::int64_t count = 0;
    library.check(
        api.ModelMetadataGetCustomMetadataMapKeys(made, texts.allocator(), &keys, &count));
    const auto list = texts.own(keys);
    Metadata found;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto key = texts.take(keys[i]);
        char *value = nullptr;
        library.check(
            api.ModelMetadataLookupCustomMetadataMap(made, texts.allocator(), key.c_str(), &value));
        found[key] = texts.take(value);
    }
    return found;
}

}  // namespace

Description describe(const Library &library, const OrtSession *session) {
    const auto &api = library.api();
    const Texts texts(library);
    Description description;
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    library.check(api.SessionGetInputCount(session, &inputs));
    library.check(api.SessionGetOutputCount(session, &outputs));
    description.info.inputs = static_cast<std::int32_t>(inputs);
    description.info.outputs = static_cast<std::int32_t>(outputs);
    if (inputs > 0) set_input(library, session, texts, description);
    if (outputs > 0) set_output(library, session, texts, description);
    description.metadata = read_metadata(library, session, texts);
    return description;
}

}  // namespace drsformer::onnxruntime
