// An engine file as an object of its library, with its weights also where it was built without.
#ifndef DRSFORMER_TENSORRT_LOADED_ENGINE_HPP
#define DRSFORMER_TENSORRT_LOADED_ENGINE_HPP

#include <filesystem>

#include "execution.hpp"
#include "manifest.hpp"

namespace drsformer::tensorrt {

// Loads an engine whose manifest was compared with this machine before. What TensorRT-RTX compiled
// for it earlier lies beside it, in ENGINE.cache. Throws Failure (DRS_ENGINE_ERROR).
OpenEngine engine_from_file(const std::filesystem::path &path, const Manifest &manifest);

// Keeps what TensorRT-RTX has compiled beside the engine. Without it the next start only takes
// longer, so failures are passed over.
void keep_kernels(Engine &engine, const std::filesystem::path &path) noexcept;

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_LOADED_ENGINE_HPP
