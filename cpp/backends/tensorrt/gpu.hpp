// Which GPU and which platform this machine has.
#ifndef DRSFORMER_TENSORRT_GPU_HPP
#define DRSFORMER_TENSORRT_GPU_HPP

#include <string>

namespace drsformer::tensorrt {

struct Gpu {
    std::string name;                // "NVIDIA GeForce RTX 4090"
    std::string compute_capability;  // "8.9"
    int device = 0;                  // its CUDA ordinal
};

// Describes a GPU; throws Failure (DRS_PROVIDER_ERROR) where it is missing or has no driver.
Gpu gpu_here(int device);

// Returns the operating system and processor, "linux-x86_64".
std::string platform_here();

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_GPU_HPP
