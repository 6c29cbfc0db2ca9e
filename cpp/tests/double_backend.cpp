// A backend whose results are known, for tests without an inference library. Its "model" is a text
// file of lines KEY VALUE:
//
//     dtype float32 | float16 | uint8   of the tensors (float32)
//     images N, height N, width N       fixed sizes (free)
//     contract TEXT                     the metadata (the contract of the dtype)
//     fail_at N                         the N-th run fails
//     nan 1                             the results are not numbers
//     sleep_ms N                        each run lasts so long
//     broken 1                          opening fails
//
// The network gives 1 - input, or 255 - input for pixels.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "backend.h"
#include "scaling.hpp"

namespace {

constexpr const char *float_contract =
    R"({"input_name": "input", "output_name": "output", "layout": "NCHW", "color": "RGB", )"
    R"("dtype": "float32", "value_range": [0.0, 1.0], "multiple_of": 8, )"
    R"("padding": "reflect right and bottom, crop after", "output_range": "clamp after", )"
    R"("rounding": "half to even"})";
constexpr const char *pixel_contract =
    R"({"input_name": "input", "output_name": "output", "layout": "NHWC", "color": "RGB", )"
    R"("dtype": "uint8", "value_range": [0.0, 255.0], "multiple_of": 8, )"
    R"("padding": "reflect right and bottom, crop after", "output_range": "clamped inside", )"
    R"("rounding": "half to even, inside"})";

struct Model {
    std::map<std::string, std::string> lines;
    std::string contract;
    int32_t dtype = DRS_FLOAT32;
    std::vector<uint8_t> input;
    std::vector<uint8_t> output;
    std::size_t values = 0;
    int64_t runs = 0;

    int64_t number(const std::string &key) const {
        const auto found = lines.find(key);
        return found == lines.end() ? 0 : std::stoll(found->second);
    }
};

Model &model_of(void *model) {
    return *static_cast<Model *>(model);
}

drs_status fail(drs_error *error, drs_status status, const char *message) {
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return error->status = status;
}

drs_status open(const drs_backend_settings *settings, void **result, drs_error *error) {
    auto *model = new Model;
    std::ifstream file(settings->path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t space = line.find(' ');
        model->lines[line.substr(0, space)] =
            space == std::string::npos ? "" : line.substr(space + 1);
    }
    if (model->number("broken")) {
        delete model;
        return fail(error, DRS_MODEL_ERROR, "it is broken");
    }
    const std::string dtype = model->lines["dtype"];
    model->dtype = dtype == "uint8" ? DRS_UINT8 : dtype == "float16" ? DRS_FLOAT16 : DRS_FLOAT32;
    model->contract = dtype == "uint8" ? pixel_contract : float_contract;
    if (dtype == "float16") model->contract.replace(model->contract.find("float32"), 7, "float16");
    if (model->lines.count("contract")) model->contract = model->lines["contract"];
    *result = model;
    return DRS_OK;
}

drs_status info(void *handle, drs_backend_info *info, drs_error *) {
    const Model &model = model_of(handle);
    std::memset(info, 0, sizeof *info);
    info->inputs = info->outputs = 1;
    std::strcpy(info->input.name, "input");
    info->input.dtype = model.dtype;
    info->input.rank = 4;
    const auto or_free = [](int64_t size) { return size ? size : -1; };
    const int64_t images = or_free(model.number("images"));
    const int64_t height = or_free(model.number("height"));
    const int64_t width = or_free(model.number("width"));
    const int64_t planar[] = {images, 3, height, width};
    const int64_t packed[] = {images, height, width, 3};
    std::memcpy(info->input.shape, model.dtype == DRS_UINT8 ? packed : planar, sizeof planar);
    info->output = info->input;
    std::strcpy(info->output.name, "output");
    return DRS_OK;
}

const char *metadata(void *handle, const char *key) {
    const std::string &contract = model_of(handle).contract;
    return std::strcmp(key, "contract") == 0 && contract != "none" ? contract.c_str() : nullptr;
}

drs_status prepare(void *handle, const int64_t shape[4], int32_t, void **input, void **output,
                   drs_error *) {
    Model &model = model_of(handle);
    model.values = static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
    const std::size_t bytes = model.dtype == DRS_FLOAT32 ? 4 : model.dtype == DRS_FLOAT16 ? 2 : 1;
    model.input.resize(model.values * bytes);
    model.output.resize(model.values * bytes);
    *input = model.input.data();
    *output = model.output.data();
    return DRS_OK;
}

template <typename Value, typename Step>
void each(Model &model, Step step) {
    const auto *from = reinterpret_cast<const Value *>(model.input.data());
    auto *to = reinterpret_cast<Value *>(model.output.data());
    for (std::size_t i = 0; i < model.values; ++i) to[i] = step(from[i]);
}

drs_status run(void *handle, drs_error *error) {
    Model &model = model_of(handle);
    if (++model.runs == model.number("fail_at")) {
        return fail(error, DRS_MODEL_ERROR, "the run was made to fail");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(model.number("sleep_ms")));
    const float one = model.number("nan") ? std::nanf("") : 1.0F;
    if (model.dtype == DRS_UINT8) {
        each<uint8_t>(model, [](uint8_t level) { return static_cast<uint8_t>(255 - level); });
    } else if (model.dtype == DRS_FLOAT32) {
        each<float>(model, [one](float value) { return one - value; });
    } else {
        each<uint16_t>(model, [one](uint16_t half) {
            return drsformer::half_from_float(one - drsformer::float_from_half(half));
        });
    }
    return DRS_OK;
}

void release(void *) {}

void close(void *handle) {
    delete &model_of(handle);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const drs_backend *drs_backend_onnxruntime(void) {
    static const drs_backend backend = {DRS_BACKEND_VERSION,
                                        0,
                                        "onnxruntime",
                                        open,
                                        info,
                                        metadata,
                                        prepare,
                                        run,
                                        release,
                                        close,
                                        nullptr};
    return &backend;
}
