// Opens ONNX files as sessions of ONNX Runtime, with the settings that Python's runtime has.
#ifndef DRSFORMER_BACKENDS_ONNXRUNTIME_SESSION_HPP
#define DRSFORMER_BACKENDS_ONNXRUNTIME_SESSION_HPP

#include <cstdint>
#include <string>

#include "library.hpp"
#include "providers.hpp"

namespace drsformer::onnxruntime {

using Session = Owned<OrtSession>;
using SessionOptions = Owned<OrtSessionOptions>;

// What all sessions of a model share.
struct Source {
    const Library &ort;
    const Provider &provider;
    std::string path;      // of the ONNX file
    std::int32_t threads;  // 0 for one per core
    std::int32_t device;   // CUDA ordinal
};

// Makes the options of a session; a graph that is not optimised can only be described.
SessionOptions make_options(const Source &source, bool optimised);

// Opens a file. Throws Failure: DRS_PROVIDER_ERROR where the provider cannot start or run the file,
// DRS_MODEL_ERROR where the file is not a usable model.
Session open_session(const Source &source, OrtSessionOptions *options);

}  // namespace drsformer::onnxruntime

#endif  // DRSFORMER_BACKENDS_ONNXRUNTIME_SESSION_HPP
