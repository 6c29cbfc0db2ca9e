// ENGINE.json: what an engine is, what it was made from, and where it runs. Needs no TensorRT.
//
// Only one version of one library can read an engine, on some GPUs only. Elsewhere the library
// gives an error number, or nothing at all. So this file is read first, and an engine that does not
// fit is refused in one sentence that names both sides. drsformer/engine/manifest.py is the same in
// Python; docs/files.md specifies the format.
//
//     manifest.cpp         files: the manifest beside an engine, and whether it describes it
//     manifest_values.cpp  JSON: which values a manifest may have
//     manifest_checks.cpp  whether an engine fits a version, a platform, a GPU, a shape
//
// All functions throw Failure: DRS_ENGINE_ERROR, or DRS_SHAPE_ERROR from check_profile.
#ifndef DRSFORMER_MANIFEST_HPP
#define DRSFORMER_MANIFEST_HPP

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drsformer {

constexpr std::uint64_t most_manifest_bytes = 4u << 20;  // ours have some thousand

using InputShape = std::array<std::int64_t, 4>;  // in the contract's layout

// Input shapes that an engine takes: the smallest sizes, those it is fastest at, and the largest.
struct Profile {
    InputShape min = {};
    InputShape opt = {};
    InputShape max = {};

    bool takes(const InputShape &shape) const;
};

// The machines that an engine runs on.
struct RunsOn {
    std::vector<std::string> compute_capabilities;  // of the GPUs it was built for, "8.9"
    bool newer = false;                             // also on GPUs newer than the lowest of these
    bool version_compatible = false;                // later TensorRT versions may run it
    std::optional<std::string> platform;            // "linux-x86_64"; none for any
};

// The GPU of the machine that built the engine; empty where there was none.
struct BuiltOn {
    std::optional<std::string> gpu;
    std::optional<std::string> compute_capability;
    std::optional<std::string> cuda;
};

// What is known of an engine; the names are the keys of the file.
struct Manifest {
    std::string engine_sha256;
    std::uint64_t engine_bytes = 0;
    std::string flavor;  // of the library: "tensorrt" or "tensorrt_rtx"
    std::string version;
    std::string precision;
    std::string contract_json;  // for contract_from_json; the four below are taken out of it
    std::string input_name;
    std::string output_name;
    std::string layout;  // "NCHW" or "NHWC"
    std::string dtype;   // "float32", "float16" or "uint8"
    std::vector<Profile> profiles;
    RunsOn runs_on;
    BuiltOn built_on;
    bool stripped_weights = false;  // of the options: the ONNX file's weights have to be put in
    std::string onnx_file;
    std::string onnx_sha256;
    std::string checkpoint_sha256;
    std::string drs_export_version;
    std::string command;
    std::optional<std::string> other_gpus;
};

// Whether a file is an engine, by its suffix or by the manifest beside it.
bool is_engine(const std::filesystem::path &path);

// Returns the path of an engine's manifest: the engine's name followed by .json.
std::filesystem::path manifest_path(const std::filesystem::path &engine);

// Returns the text of an engine's manifest.
std::string manifest_text(const std::filesystem::path &engine);

// Reads a manifest; source is its path, for the errors.
Manifest manifest_from_text(std::string_view text, const std::string &source);

// Reads the manifest beside an engine.
Manifest read_manifest(const std::filesystem::path &engine);

// Reads the manifest beside an engine, and checks that it describes this very file by its size and
// its SHA-256.
Manifest manifest_of(const std::filesystem::path &engine);

// Returns the name of a library for sentences: "TensorRT-RTX" for "tensorrt_rtx".
std::string library_title(const std::string &flavor);

// Throws unless this version of the engine's own library can run it.
void check_version(const Manifest &manifest, const std::string &version,
                   const std::filesystem::path &engine);

// Throws unless the engine runs on this operating system and processor.
void check_platform(const Manifest &manifest, const std::string &platform,
                    const std::filesystem::path &engine);

// Throws unless the engine runs on a GPU of this compute capability.
void check_gpu(const Manifest &manifest, const std::string &name,
               const std::string &compute_capability, const std::filesystem::path &engine);

// Returns the number of the first profile that takes an input shape; throws if none does.
int check_profile(const Manifest &manifest, const InputShape &shape,
                  const std::filesystem::path &engine);

// Returns "1x3x64x64".
std::string shape_text(const InputShape &shape);

// Returns "1x3x64x64 to 1x3x512x512", or one shape where it is fixed.
std::string shapes_text(const Profile &profile);

}  // namespace drsformer

#endif  // DRSFORMER_MANIFEST_HPP
