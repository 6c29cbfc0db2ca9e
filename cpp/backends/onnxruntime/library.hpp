// ONNX Runtime, loaded at run time, and what its C interface needs to be used from C++.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_LIBRARY_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_LIBRARY_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dynamic_library.hpp"
#include "onnxruntime/onnxruntime_c_api.h"

namespace drsformer::onnxruntime {

// What ONNX Runtime says of a call that failed.
class OrtError : public std::runtime_error {
  public:
    OrtError(OrtErrorCode code, const char *message) : std::runtime_error(message), code_(code) {}

    OrtErrorCode code() const noexcept { return code_; }

  private:
    OrtErrorCode code_;
};

// An object of ONNX Runtime, which it frees by a function of its own.
template <typename Object>
using Owned = std::unique_ptr<Object, void (*)(Object *)>;

// A loaded library with its environment, which all models of the process share. It stays until the
// process ends: threads of ONNX Runtime and of its providers may outlive the last model.
class Library {
  public:
    // Loads a library at its first call, from a path or, if that is "", from where the system
    // finds it. Throws Failure (DRS_PROVIDER_ERROR).
    static const Library &get(const std::string &path);

    const OrtApi &api() const noexcept { return *api_; }
    const OrtEnv *environment() const noexcept { return environment_.get(); }

    // Whether the library was built with an execution provider, by ONNX Runtime's name.
    bool has(std::string_view provider) const;

    // Throws OrtError where a call failed.
    void check(OrtStatus *status) const;

    // Frees the status of a call whose failure changes nothing; there mostly is none.
    void drop(OrtStatus *status) const noexcept { api_->ReleaseStatus(status); }

    // Takes over an object that a call made; release frees it.
    template <typename Object>
    static Owned<Object> own(Object *object, void (*release)(Object *)) {
        return Owned<Object>(object, release);
    }

  private:
    explicit Library(const std::string &path);

    backend::DynamicLibrary loaded_;
    const OrtApi *api_;
    Owned<OrtEnv> environment_;
    std::vector<std::string> providers_;
};

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_LIBRARY_HPP
