// Checks one backend module by itself, through the functions that it exports.
//
//     test_backend NAME MODULE MODEL PROVIDER [LIBRARY]
//
// MODEL is an ONNX file of ours with free sizes; LIBRARY is the path of the backend's own library,
// for a backend that loads one. The result is 0 if all is as backend.h says.
#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "backend.h"

namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::int32_t small[2] = {16, 24};  // height and width
constexpr std::int32_t large[2] = {32, 8};

int failures = 0;

void expect(bool holds, const char *what, const char *message = "") {
    if (holds) return;
    std::printf("failed: %s %s\n", what, message);
    ++failures;
}

struct Given {
    std::string name;
    std::string module;
    std::string model;
    std::string provider;
    std::string onnxruntime_library;
};

drs_backend_settings settings_of(const Given &given) {
    drs_backend_settings settings = {};
    settings.path = given.model.c_str();
    settings.provider = given.provider.c_str();
    settings.onnxruntime_library =
        given.onnxruntime_library.empty() ? nullptr : given.onnxruntime_library.c_str();
    settings.threads = 1;
    return settings;
}

const drs_backend *load(const Given &given) {
    void *const handle = dlopen(given.module.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    expect(handle != nullptr, "the module is loaded:", handle == nullptr ? dlerror() : "");
    if (handle == nullptr) return nullptr;
    void *const symbol = dlsym(handle, ("drs_backend_" + given.name).c_str());
    expect(symbol != nullptr, "the module exports its function");
    return symbol == nullptr ? nullptr : reinterpret_cast<drs_backend_function>(symbol)();
}

// A model of the module, with the sizes that are fed to it.
class Opened {
  public:
    Opened(const drs_backend &backend, const Given &given) : backend_(backend) {
        const auto settings = settings_of(given);
        drs_error error = DRS_ERROR_INIT;
        const auto status = backend_.open(&settings, &model_, &error);
        expect(status == DRS_OK, "the model is opened:", error.message);
        if (model_ == nullptr) return;
        expect(backend_.info(model_, &info_, &error) == DRS_OK, "the model is described");
    }
    Opened(const Opened &) = delete;
    Opened &operator=(const Opened &) = delete;
    ~Opened() {
        if (model_ != nullptr) backend_.close(model_);
    }

    void *model() const { return model_; }
    const drs_backend_info &info() const { return info_; }

    // Prepares a size and returns the buffer of its input; a null pointer on failure.
    unsigned char *prepare(const std::int32_t (&size)[2], bool as_large = false) {
        const auto pixels_last = info_.input.dtype == DRS_UINT8;
        shape_ = pixels_last ? std::array<std::int64_t, 4>{1, size[0], size[1], 3}
                             : std::array<std::int64_t, 4>{1, 3, size[0], size[1]};
        void *input = nullptr;
        drs_error error = DRS_ERROR_INIT;
        const auto status =
            backend_.prepare(model_, shape_.data(), as_large ? 1 : 0, &input, &output_, &error);
        expect(status == DRS_OK, "a shape is prepared:", error.message);
        return status == DRS_OK ? static_cast<unsigned char *>(input) : nullptr;
    }

    // Prepares a size, feeds it always the same values, and returns the output.
    Bytes run(const std::int32_t (&size)[2], bool as_large = false) {
        auto *const input = prepare(size, as_large);
        if (input == nullptr) return {};
        const auto bytes = byte_count();
        for (std::size_t i = 0; i < bytes; ++i) input[i] = value_at(i);
        drs_error error = DRS_ERROR_INIT;
        expect(backend_.run(model_, &error) == DRS_OK, "the network is run:", error.message);
        const auto *const output = static_cast<const unsigned char *>(output_);
        return Bytes(output, output + bytes);
    }

  private:
    std::size_t element_bytes() const {
        return info_.input.dtype == DRS_FLOAT32 ? 4 : info_.input.dtype == DRS_FLOAT16 ? 2 : 1;
    }

    std::size_t byte_count() const {
        return static_cast<std::size_t>(shape_[0] * shape_[1] * shape_[2] * shape_[3]) *
               element_bytes();
    }

    // The i-th byte of numbers in [0, 1): of floats the last byte is the exponent's.
    unsigned char value_at(std::size_t i) const {
        const auto is_last = i % element_bytes() == element_bytes() - 1;
        const auto any = static_cast<unsigned char>(i * 31 % 128);
        if (info_.input.dtype == DRS_FLOAT32 && is_last) return 0x3E;
        if (info_.input.dtype == DRS_FLOAT16 && is_last) return 0x38;
        return any;
    }

    const drs_backend &backend_;
    void *model_ = nullptr;
    drs_backend_info info_ = {};
    std::array<std::int64_t, 4> shape_ = {};
    void *output_ = nullptr;
};

void check_description(const drs_backend &backend, const Given &given) {
    const Opened opened(backend, given);
    if (opened.model() == nullptr) return;
    const auto &info = opened.info();
    expect(backend.version == DRS_BACKEND_VERSION && given.name == backend.name, "the table");
    expect(info.inputs == 1 && info.outputs == 1, "there is one input and one output");
    expect(info.input.rank == 4 && info.output.rank == 4, "tensors have four axes");
    expect(info.input.dtype == info.output.dtype && info.input.dtype != DRS_OTHER_TYPE, "types");
    expect(info.input.name == std::string("input"), "the input's name");
    expect(info.output.name == std::string("output"), "the output's name");
    const auto *const contract = backend.metadata(opened.model(), "contract");
    expect(contract != nullptr && std::strstr(contract, "\"layout\"") != nullptr, "the contract");
    expect(backend.metadata(opened.model(), "no such key") == nullptr,
           "metadata that is not there");
}

void check_runs(const drs_backend &backend, const Given &given) {
    Opened opened(backend, given);
    if (opened.model() == nullptr) return;
    drs_error error = DRS_ERROR_INIT;
    expect(backend.run(opened.model(), &error) != DRS_OK, "a run needs a shape");
    const auto *const input = opened.prepare(small);
    expect(input == opened.prepare(small), "a shape that is ready keeps its buffers");
    expect(reinterpret_cast<std::uintptr_t>(input) % 64 == 0, "buffers are aligned");
    const auto first = opened.run(small);
    expect(first == opened.run(small), "a second run has the same bits");
    expect(first != Bytes(first.size()), "a result is written");
    const auto other = opened.run(large);
    expect(first == opened.run(small), "a shape has the same bits after another one");
    expect(other == opened.run(large), "so has the other one");
    backend.release(opened.model());
    expect(backend.run(opened.model(), &error) != DRS_OK, "a run after release needs a shape");
    expect(first == opened.run(small), "a shape has the same bits after release");
    expect(!opened.run(small, true).empty(), "a shape is run as large ones are");
}

void check_refused(const drs_backend &backend, const Given &given, drs_status expected,
                   const char *what) {
    const auto settings = settings_of(given);
    drs_error error = DRS_ERROR_INIT;
    void *model = nullptr;
    const auto status = backend.open(&settings, &model, &error);
    expect(status == expected && error.status == expected, what, error.message);
    expect(model == nullptr && error.message[0] != '\0', what, "has a reason");
    expect(std::strchr(error.message, '\n') == nullptr, what, "is one line");
}

void check_refusals(const drs_backend &backend, const Given &given) {
    auto garbage = given;
    garbage.model = "test_backend_" + given.name + ".onnx";
    std::ofstream(garbage.model) << "this is no model";
    check_refused(backend, garbage, DRS_MODEL_ERROR, "a file that is no model");
    std::remove(garbage.model.c_str());
    if (given.onnxruntime_library.empty()) return;
    auto missing = given;
    missing.onnxruntime_library = "/no/such/folder/library.so";
    check_refused(backend, missing, DRS_PROVIDER_ERROR, "a library that is missing");
    auto wrong = given;
    wrong.onnxruntime_library = given.module;
    check_refused(backend, wrong, DRS_PROVIDER_ERROR, "a library that is another one");
    auto unknown = given;
    unknown.provider = "abacus";
    check_refused(backend, unknown, DRS_PROVIDER_ERROR, "a provider that is unknown");
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 5) {
        std::printf("usage: test_backend NAME MODULE MODEL PROVIDER [LIBRARY]\n");
        return 2;
    }
    const Given given = {arguments[1], arguments[2], arguments[3], arguments[4],
                         count > 5 ? arguments[5] : ""};
    const auto *const backend = load(given);
    if (backend == nullptr) return 1;
    check_description(*backend, given);
    check_runs(*backend, given);
    check_refusals(*backend, given);
    return failures == 0 ? 0 : 1;
}
