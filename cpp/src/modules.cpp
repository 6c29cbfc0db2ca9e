#include "modules.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "failure.hpp"

#ifdef DRSFORMER_STATIC_BACKEND
extern "C" const drs_backend *DRSFORMER_STATIC_FUNCTION(void);
#endif

namespace drsformer {
namespace {

namespace fs = std::filesystem;

// Returns the folder of the library, or of the program that it is a part of.
fs::path own_folder() {
    Dl_info found = {};
    const bool known = dladdr(reinterpret_cast<const void *>(&own_folder), &found) != 0;
    fs::path file = known && found.dli_fname ? found.dli_fname : "";
    std::error_code ignored;
    // a program that was found by PATH has no folder in its name; the current one is not its own
    if (!file.has_parent_path()) file = fs::read_symlink("/proc/self/exe", ignored);
    return fs::absolute(file, ignored).parent_path();
}

// Returns where a module is looked for, the first place first.
std::vector<fs::path> folders(const std::string &asked) {
    if (!asked.empty()) return {asked};
    const char *variable = std::getenv("DRSFORMER_MODULES");
    if (variable && *variable) return {variable};
    const fs::path own = own_folder();
    return {own, own / "drsformer"};
}

std::string file_name(const std::string &name) {
    return "libdrsformer_" + name + ".so";
}

std::string names_of(const std::vector<fs::path> &places) {
    std::string names;
    for (const fs::path &place : places) {
        names += (names.empty() ? "" : " or ") + (place.empty() ? "." : place.string());
    }
    return names;
}

[[noreturn]] void refuse(const std::string &message) {
    throw Failure(DRS_PROVIDER_ERROR, message);
}

fs::path found_module(const std::string &name, const std::string &asked) {
    const std::vector<fs::path> places = folders(asked);
    for (const fs::path &place : places) {
        std::error_code ignored;
        if (fs::is_regular_file(place / file_name(name), ignored)) {
            return fs::absolute(place / file_name(name));
        }
    }
    refuse("the module " + file_name(name) + " is not in " + names_of(places) +
           "; build it or copy it there, or name its folder by options.modules or the variable "
           "DRSFORMER_MODULES");
}

drs_backend_function function_of(const fs::path &module, const std::string &name) {
    // RTLD_NODELETE: a backend has threads, which outlive the last model
    void *handle = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        const char *reason = dlerror();
        refuse(module.string() + " cannot be loaded: " + (reason ? reason : "no reason is given") +
               "; install the library that it names, or put its folder into LD_LIBRARY_PATH");
    }
    void *symbol = dlsym(handle, ("drs_backend_" + name).c_str());
    if (!symbol) refuse(module.string() + " is not a backend module of drs-export; build it again");
    return reinterpret_cast<drs_backend_function>(symbol);
}

const drs_backend &checked(const drs_backend *backend, const std::string &where) {
    if (backend->version != DRS_BACKEND_VERSION) {
        refuse(where + " is of backend version " + std::to_string(backend->version) +
               ", this library expects " + std::to_string(DRS_BACKEND_VERSION) +
               "; take both from one release");
    }
    return *backend;
}

}  // namespace

const drs_backend &backend_of(const std::string &name, const std::string &folder) {
#ifdef DRSFORMER_STATIC_BACKEND
    if (name == DRSFORMER_STATIC_BACKEND && folder.empty()) {
        return checked(DRSFORMER_STATIC_FUNCTION(), "the backend " + name);
    }
#endif
    const fs::path module = found_module(name, folder);
    return checked(function_of(module, name)(), module.string());
}

}  // namespace drsformer
