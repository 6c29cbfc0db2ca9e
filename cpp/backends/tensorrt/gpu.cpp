#include "gpu.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "cuda.hpp"
#include "failure.hpp"

namespace drsformer::tensorrt {

Gpu gpu_here(int device) {
    int count = 0;
    const auto counted = cuda().count_devices(&count);
    if (counted != 0 || count <= 0) {
        throw Failure(DRS_PROVIDER_ERROR,
                      std::string("no NVIDIA GPU can be used here (") + cuda().name_of(counted) +
                          "): engines run on GPUs only; install the driver, or run the ONNX file "
                          "on the CPU");
    }
    if (device < 0 || device >= count) {
        throw Failure(DRS_PROVIDER_ERROR, "there is no GPU " + std::to_string(device) +
                                              ": CUDA sees " + std::to_string(count) +
                                              " here; choose a device from 0 to " +
                                              std::to_string(count - 1));
    }
    GpuProperties found;
    const auto status = cuda().get_properties(device, &found);
    if (status != 0) {
        throw Failure(DRS_PROVIDER_ERROR, "GPU " + std::to_string(device) + " cannot be used (" +
                                              cuda().name_of(status) +
                                              "); look whether nvidia-smi lists it");
    }
    return {found.name, std::to_string(found.major) + "." + std::to_string(found.minor), device};
}

std::string platform_here() {
    utsname names = {};
    if (uname(&names) != 0) return "unknown";
    auto text = std::string(names.sysname) + "-" + names.machine;
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

}  // namespace drsformer::tensorrt
