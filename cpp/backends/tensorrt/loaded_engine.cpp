#include "loaded_engine.hpp"

#include <unistd.h>

#include <fstream>
#include <system_error>

#include "backend.h"
#include "failure.hpp"
#include "readable.hpp"

namespace drsformer::tensorrt {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_kernel_bytes = std::uint64_t{1} << 30;
const char *const rebuild = "build it again with `drs-export trt`";

[[noreturn]] void refuse(const std::string &message) {
    throw Failure(DRS_ENGINE_ERROR, message);
}

std::int32_t dtype_of(const Manifest &manifest) {
    if (manifest.dtype == "uint8") return DRS_UINT8;
    return manifest.dtype == "float16" ? DRS_FLOAT16 : DRS_FLOAT32;
}

// Refuses an engine that is not of the interface that its manifest promises: buffers are made by
// the manifest.
void check_tensors(const OpenEngine &opened, const fs::path &path) {
    const auto tensors = opened.engine->tensors();
    bool input = false;
    bool output = false;
    for (const auto &tensor : tensors) {
        const bool fits = tensor.dtype == opened.dtype;
        input = input || (fits && tensor.is_input && tensor.name == opened.input_name);
        output = output || (fits && !tensor.is_input && tensor.name == opened.output_name);
    }
    if (tensors.size() == 2 && input && output) return;
    refuse(path.string() + " has other inputs and outputs than its manifest says; " + rebuild);
}

// Puts the weights of the ONNX file beside it into an engine that was built without weights.
void put_weights(const OpenEngine &opened, const fs::path &path, const Manifest &manifest) {
    const auto source = path.parent_path() / manifest.onnx_file;
    const auto what = path.string() + " was built without weights, and ";
    std::error_code ignored;
    if (!fs::is_regular_file(source, ignored)) {
        refuse(what + manifest.onnx_file + ", which has them, is not beside it; copy it there");
    }
    if (sha256_of(source, DRS_ENGINE_ERROR) != manifest.onnx_sha256) {
        refuse(what + manifest.onnx_file +  // with other weights, results are undefined
               " beside it is not the file that it was built from; copy that one there");
    }
    if (!library().can_refit()) {
        refuse(
            what + "this build of libdrsformer_" + library().name() +
            ".so cannot put them in; build it with TensorRT's ONNX parser, or the engine without "
            "--strip-weights");
    }
    std::string reason;
    if (!opened.engine->refit(source.string(), &reason)) {
        refuse(path.string() + " cannot take the weights of " + manifest.onnx_file + ": " +
               (reason.empty() ? opened.reason() : reason));
    }
}

fs::path kernels_path(const fs::path &engine) {
    auto path = engine;
    path += ".cache";
    return path;
}

// Kernels that cannot be read, or are of another GPU, are compiled again.
void use_kernels(Engine &engine, const fs::path &path) {
    std::error_code ignored;
    if (!fs::is_regular_file(kernels_path(path), ignored)) return;
    try {
        static_cast<void>(engine.set_kernels(
            bytes_of(kernels_path(path), most_kernel_bytes, DRS_ENGINE_ERROR, "remove it")));
    } catch (const Failure &) {
        return;
    }
}

// Writes a file whole or not at all.
void write_whole(const fs::path &path, const std::string &bytes) {
    auto temporary = path;
    temporary += "." + std::to_string(getpid()) + ".part";
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    std::error_code error;
    if (file) fs::rename(temporary, path, error);
    if (!file || error) fs::remove(temporary, error);
}

}  // namespace

OpenEngine engine_from_file(const fs::path &path, const Manifest &manifest) {
    OpenEngine opened;
    opened.mark = library().log().mark();
    opened.input_name = manifest.input_name;
    opened.output_name = manifest.output_name;
    opened.dtype = dtype_of(manifest);
    const auto content = bytes_of(path, manifest.engine_bytes, DRS_ENGINE_ERROR, rebuild);
    opened.engine = library().load(content, manifest.runs_on.version_compatible);
    if (!opened.engine) {
        refuse(path.string() + " cannot be loaded: " + opened.reason() + "; " + rebuild +
               " on this machine");
    }
    check_tensors(opened, path);
    if (manifest.stripped_weights) put_weights(opened, path, manifest);
    use_kernels(*opened.engine, path);
    return opened;
}

void keep_kernels(Engine &engine, const fs::path &path) noexcept {
    try {
        const auto kernels = engine.kernels();
        if (!kernels.empty()) write_whole(kernels_path(path), kernels);
    } catch (...) {  // no memory for it
        return;
    }
}

}  // namespace drsformer::tensorrt
