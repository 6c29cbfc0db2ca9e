// A library that is loaded when it is needed, so that a program starts where it is missing.
#ifndef DRSFORMER_BACKENDS_DYNAMIC_LIBRARY_HPP
#define DRSFORMER_BACKENDS_DYNAMIC_LIBRARY_HPP

#include <dlfcn.h>

#include <memory>
#include <string>

namespace drsformer::backend {

class DynamicLibrary {
  public:
    // Loads a library; one that cannot be loaded is `!loaded()`, and reason() says why.
    explicit DynamicLibrary(const std::string &path)
        : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) {
            const auto *const reason = dlerror();
            reason_ = reason == nullptr ? "for no stated reason" : reason;
        }
    }

    bool loaded() const noexcept { return handle_ != nullptr; }
    const std::string &reason() const noexcept { return reason_; }

    // Returns a function of the library, or a null pointer.
    template <typename Function>
    Function *function(const char *name) const noexcept {
        return reinterpret_cast<Function *>(dlsym(handle_.get(), name));
    }

  private:
    struct Close {
        void operator()(void *handle) const noexcept { dlclose(handle); }
    };

    std::unique_ptr<void, Close> handle_;
    std::string reason_;
};

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_DYNAMIC_LIBRARY_HPP
