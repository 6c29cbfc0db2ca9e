// Opens a made-up engine with a real module: its first argument is the module, the second its name.
// Without a GPU, and with one, there is one clear error and no crash. Ends with 77, for skipped,
// where the libraries of the module are not installed.
#include <dlfcn.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "backend.h"
#include "check.hpp"
#include "readable.hpp"
#include "temporary_folder.hpp"

using namespace drsformer;
using nlohmann::json;

namespace {

constexpr int skipped = 77;

json manifest_of_engine(const std::string &hash, const std::string &flavor,
                        const std::string &version) {
    const json shape = {1, 3, 8, 8};
    return {
        {"engine_sha256", hash},
        {"engine_bytes", 6},
        {"flavor", flavor},
        {"version", version},
        {"precision", "fp32"},
        {"contract", {{"layout", "NCHW"}}},
        {"profiles", json::array({{{"min", shape}, {"opt", shape}, {"max", shape}}})},
        {"runs_on", {{"compute_capabilities", {"1.0"}}, {"newer", true}}},
        {"built_on", json::object()},
        {"options", json::object()},
        {"layers", json::object()},
        {"onnx_file", "x.onnx"},
        {"onnx_sha256", std::string(64, '1')},
        {"checkpoint_sha256", ""},
        {"command", ""},
        {"drs_export_version", "0"},
        {"format", 1},
    };
}

// Returns the error of opening an engine of this version.
drs_error refusal(const drs_backend &backend, const std::string &version) {
    const TemporaryFolder folder;
    const auto path = folder / "x.engine";
    write_file(path, "engine");
    const auto text =
        manifest_of_engine(sha256_of(path, DRS_ENGINE_ERROR), backend.name, version).dump();
    const auto name = path.string();
    drs_backend_settings settings = {};
    settings.path = name.c_str();
    settings.provider = backend.name;
    settings.manifest = text.c_str();
    void *model = nullptr;
    drs_error error = DRS_ERROR_INIT;
    CHECK(backend.open(&settings, &model, &error) == error.status);
    CHECK(model == nullptr && error.status != DRS_OK);
    CHECK(std::strlen(error.message) > 60 && std::strchr(error.message, '\n') == nullptr);
    std::printf("%s\n", error.message);
    return error;
}

// Returns the version that the module's own refusal names.
std::string version_here(const drs_backend &backend) {
    const std::string message = refusal(backend, "0.0.0.1").message;
    const std::string before = "and here is ";
    const auto begin = message.find(before);
    CHECK(begin != std::string::npos);
    if (begin == std::string::npos) return "";
    const auto rest = message.substr(begin + before.size());
    return rest.substr(0, rest.find(';'));
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 3) return 2;
    void *module = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
        std::printf("skipped: %s\n", dlerror());
        return skipped;
    }
    const auto symbol = "drs_backend_" + std::string(arguments[2]);
    const auto get = reinterpret_cast<drs_backend_function>(dlsym(module, symbol.c_str()));
    if (!CHECK(get != nullptr)) return checks_result();
    const auto &backend = *get();
    CHECK(backend.version == DRS_BACKEND_VERSION && std::strcmp(backend.name, arguments[2]) == 0);
    const auto error = refusal(backend, version_here(backend));
    const std::string message = error.message;
    const bool no_gpu = error.status == DRS_PROVIDER_ERROR &&
                        message.find("no NVIDIA GPU can be used here (") != std::string::npos;
    const bool no_engine = error.status == DRS_ENGINE_ERROR &&
                           message.find("x.engine cannot be loaded: ") != std::string::npos;
    CHECK(no_gpu || no_engine);
    return checks_result();
}
