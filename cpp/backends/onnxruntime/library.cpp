#include "library.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>

#include "module_failure.hpp"

namespace drsformer::onnxruntime {
namespace {

using backend::DynamicLibrary;
using backend::Failure;

// The oldest release that Python's runtime takes. All functions used here are older.
constexpr std::uint32_t least_version = 20;
constexpr std::array system_names = {"libonnxruntime.so.1", "libonnxruntime.so"};
constexpr auto advice =
    "install ONNX Runtime 1.20 or newer (Debian's package libonnxruntime, or the Python wheel "
    "onnxruntime, which holds the library), or give its path (options.onnxruntime_library, "
    "drs-derain "
    "--library)";

DynamicLibrary load_from_path(const std::string &path) {
    auto library = DynamicLibrary(path);
    if (library.loaded()) return library;
    throw Failure(DRS_PROVIDER_ERROR, "ONNX Runtime's library cannot be loaded (" +
                                          backend::reason_of(library.reason()) + "); " + advice);
}

DynamicLibrary load_from_system() {
    std::string reason;
    for (const auto *const name : system_names) {
        auto library = DynamicLibrary(name);
        if (library.loaded()) return library;
        if (reason.empty()) reason = backend::reason_of(library.reason());
    }
    throw Failure(DRS_PROVIDER_ERROR,
                  "ONNX Runtime's library is not found (" + reason + "); " + advice);
}

DynamicLibrary load(const std::string &path) {
    // without this, releases from 1.32 on report their use to their maker
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    return path.empty() ? load_from_system() : load_from_path(path);
}

// Returns the middle of a version such as "1.32.0". Asking for an interface that a release does not
// have would make it print.
std::uint32_t minor_version(const std::string &version) {
    const auto dot = version.find('.');
    if (dot == std::string::npos) return 0;
    return static_cast<std::uint32_t>(std::strtoul(version.c_str() + dot + 1, nullptr, 10));
}

const OrtApi *api_of(const DynamicLibrary &library) {
    auto *const base_of = library.function<const OrtApiBase *()>("OrtGetApiBase");
    if (base_of == nullptr) {
        throw Failure(DRS_PROVIDER_ERROR,
                      std::string("the library that was loaded is not ONNX Runtime: it has no "
                                  "function OrtGetApiBase; ") +
                          advice);
    }
    const auto *const base = base_of();
    const std::string version = base->GetVersionString();
    const auto *const api =
        minor_version(version) < least_version ? nullptr : base->GetApi(least_version);
    if (api == nullptr) {
        throw Failure(DRS_PROVIDER_ERROR,
                      "ONNX Runtime " + version + " was loaded, which is too old; " + advice);
    }
    return api;
}

// All that is worth knowing comes as a status.
void ignore_log(void *, OrtLoggingLevel, const char *, const char *, const char *, const char *) {}

}  // namespace

const Library &Library::get(const std::string &path) {
    static std::mutex mutex;
    // never freed, see the class
    static auto *const libraries = new std::map<std::string, std::unique_ptr<const Library>>();
    const std::lock_guard<std::mutex> lock(mutex);
    auto &library = (*libraries)[path];
    if (!library) library.reset(new Library(path));
    return *library;
}

Library::Library(const std::string &path)
    : loaded_(load(path)), api_(api_of(loaded_)), environment_(nullptr, api_->ReleaseEnv) {
    OrtEnv *environment = nullptr;
    check(api_->CreateEnvWithCustomLogger(ignore_log, nullptr, ORT_LOGGING_LEVEL_FATAL, "drsformer",
                                          &environment));
    environment_.reset(environment);
    char **names = nullptr;
    int count = 0;
    check(api_->GetAvailableProviders(&names, &count));
    const auto freed = [this, count](char **list) {
        drop(api_->ReleaseAvailableProviders(list, count));
    };
    const std::unique_ptr<char *, decltype(freed)> owner(names, freed);
    providers_.assign(names, names + count);
}

bool Library::has(std::string_view provider) const {
    return std::find(providers_.begin(), providers_.end(), provider) != providers_.end();
}

void Library::check(OrtStatus *status) const {
    if (status == nullptr) return;
    const auto owner = own(status, api_->ReleaseStatus);
    throw OrtError(api_->GetErrorCode(status), api_->GetErrorMessage(status));
}

}  // namespace drsformer::onnxruntime
