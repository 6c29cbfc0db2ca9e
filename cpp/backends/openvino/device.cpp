#include "device.hpp"

#include <algorithm>
#include <exception>
#include <openvino/runtime/properties.hpp>
#include <string_view>
#include <vector>

#include "module_failure.hpp"

namespace drsformer::openvino {
namespace {

using backend::Failure;

constexpr std::string_view gpu_provider = "openvino_gpu";
constexpr auto cpu_remedy = "install all files of OpenVINO, its CPU plugin too";
constexpr auto gpu_remedy =
    "install Intel's driver for OpenCL, or use provider 'openvino', which runs on the CPU";

// Returns the name of the device itself, such as a processor's.
std::string model_name_of(ov::Core &core, const Device &device, const char *provider) {
    try {
        return core.get_property(device.name, ov::device::full_name);
    } catch (const std::exception &error) {
        throw Failure(DRS_PROVIDER_ERROR, "provider '" + std::string(provider) +
                                              "' needs a device that OpenVINO does not find (" +
                                              backend::reason_of(error.what()) + "); " +
                                              (device.on_cpu ? cpu_remedy : gpu_remedy));
    }
}

bool computes_in_bf16(ov::Core &core, const std::string &device) {
    const auto all = core.get_property(device, ov::device::capabilities);
    return std::find(all.begin(), all.end(), ov::device::capability::BF16) != all.end();
}

ov::AnyMap properties_of(const drs_backend_settings &settings, bool on_cpu) {
    ov::AnyMap properties = {
        ov::hint::inference_precision(settings.bf16 != 0 ? ov::element::bf16 : ov::element::f32),
        ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
        ov::num_streams(1),
    };
    if (on_cpu && settings.threads > 0) {
        properties.insert(ov::inference_num_threads(settings.threads));
    }
    return properties;
}

}  // namespace

Device find_device(ov::Core &core, const drs_backend_settings &settings) {
    const auto on_cpu = settings.provider != gpu_provider;
    Device device = {on_cpu ? "CPU" : "GPU", on_cpu, properties_of(settings, on_cpu)};
    const auto model_name = model_name_of(core, device, settings.provider);
    if (settings.bf16 != 0 && !computes_in_bf16(core, device.name)) {
        throw Failure(DRS_PROVIDER_ERROR,
                      model_name + " does not compute in bfloat16; use precision fp32");
    }
    return device;
}

}  // namespace drsformer::openvino
