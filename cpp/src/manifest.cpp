#include "manifest.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "failure.hpp"
#include "readable.hpp"

namespace drsformer {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> engine_suffixes = {".engine", ".plan", ".trt"};
const char *const rebuild = "build it again with `drs-export trt`";

bool is_file(const fs::path &path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

[[noreturn]] void refuse(const std::string &message) {
    throw Failure(DRS_ENGINE_ERROR, message);
}

void check_size(const fs::path &engine, std::uint64_t stated) {
    std::error_code error;
    const auto size = fs::file_size(engine, error);
    if (error) refuse("cannot read " + engine.string() + ": " + error.message());
    if (size != stated) {
        refuse(engine.string() + " has " + with_commas(size) + " bytes, and " +
               manifest_path(engine).filename().string() + " says " + with_commas(stated) +
               ": cut short, or another engine; copy both files again");
    }
}

void check_hash(const fs::path &engine, const std::string &stated) {
    const auto found = sha256_of(engine, DRS_ENGINE_ERROR);
    if (found != stated) {
        refuse(engine.string() + " has SHA-256 " + found.substr(0, 12) + "..., and " +
               manifest_path(engine).filename().string() + " says " + stated.substr(0, 12) +
               "...: damaged, or another engine; copy both files again");
    }
}

}  // namespace

bool is_engine(const fs::path &path) {
    if (path.filename().empty()) return false;
    const auto suffix = path.extension().string();
    const auto *const end = engine_suffixes.end();
    if (std::find(engine_suffixes.begin(), end, suffix) != end) return true;
    return suffix != ".onnx" && is_file(manifest_path(path));
}

fs::path manifest_path(const fs::path &engine) {
    auto path = engine;
    path += ".json";
    return path;
}

std::string manifest_text(const fs::path &engine) {
    const auto path = manifest_path(engine);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        refuse(engine.string() + " has no manifest " + path.filename().string() +
               " beside it, so what it was built for is unknown; copy that file too, or build the "
               "engine with `drs-export trt`");
    }
    return bytes_of(path, most_manifest_bytes, DRS_ENGINE_ERROR, rebuild);
}

Manifest read_manifest(const fs::path &engine) {
    return manifest_from_text(manifest_text(engine), manifest_path(engine).string());
}

Manifest manifest_of(const fs::path &engine) {
    check_readable(engine, DRS_ENGINE_ERROR, "expected an engine of `drs-export trt`");
    auto manifest = read_manifest(engine);
    check_size(engine, manifest.engine_bytes);
    check_hash(engine, manifest.engine_sha256);
    return manifest;
}

}  // namespace drsformer
