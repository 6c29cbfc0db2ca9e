// What libdrsformer_tensorrt.so and libdrsformer_tensorrt_rtx.so export.
#include "module.hpp"

extern "C" __attribute__((visibility("default"))) const drs_backend *DRSFORMER_TENSORRT_FUNCTION() {
    return drsformer::tensorrt::table();
}
