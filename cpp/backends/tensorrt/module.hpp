// The table of functions that the module exports.
#ifndef DRSFORMER_TENSORRT_MODULE_HPP
#define DRSFORMER_TENSORRT_MODULE_HPP

#include "backend.h"

namespace drsformer::tensorrt {

const drs_backend *table();

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_MODULE_HPP
