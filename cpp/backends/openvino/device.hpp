// Which of OpenVINO's devices runs a model, and how it computes.
#ifndef DRSFORMER_BACKENDS_OPENVINO_DEVICE_HPP
#define DRSFORMER_BACKENDS_OPENVINO_DEVICE_HPP

#include <openvino/runtime/core.hpp>
#include <string>

#include "backend.h"

namespace drsformer::openvino {

struct Device {
    std::string name;  // OpenVINO's
    bool on_cpu;
    ov::AnyMap properties;  // for compiling a model
};

// Finds the device that a model is opened for. Throws Failure (DRS_PROVIDER_ERROR) where there is
// none, or it does not compute in the precision that is asked for.
Device find_device(ov::Core &core, const drs_backend_settings &settings);

}  // namespace drsformer::openvino

#endif  // DRSFORMER_BACKENDS_OPENVINO_DEVICE_HPP
