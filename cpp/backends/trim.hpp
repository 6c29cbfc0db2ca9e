// Gives the memory that reading a model has left behind back to the system.
#ifndef DRSFORMER_BACKENDS_TRIM_HPP
#define DRSFORMER_BACKENDS_TRIM_HPP

#include <cstdlib>  // defines __GLIBC__ where that is the C library

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace drsformer::backend {

// Returns freed memory to the system where the C library can (glibc); else does nothing.
//
// Parsing an ONNX file leaves as much memory as the file is large in the allocator, and the tensors
// of the first run are allocated beside it.
inline void trim() noexcept {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_TRIM_HPP
