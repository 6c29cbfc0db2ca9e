// Finds and loads backend modules, libdrsformer_NAME.so.
#ifndef DRSFORMER_MODULES_HPP
#define DRSFORMER_MODULES_HPP

#include <string>

#include "backend.h"

namespace drsformer {

// Returns a backend's functions; a module that was loaded stays. `folder` is where the caller wants
// it to be looked for, or "". Throws Failure (DRS_PROVIDER_ERROR), which says what brings it.
const drs_backend &backend_of(const std::string &name, const std::string &folder);

}  // namespace drsformer

#endif  // DRSFORMER_MODULES_HPP
