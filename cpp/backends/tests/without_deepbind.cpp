// Linked into a test program under a sanitizer, and exported from it (ENABLE_EXPORTS): sanitizers
// end a program that opens a library with RTLD_DEEPBIND, as OpenVINO's TBB does.
#include <dlfcn.h>

extern "C" __attribute__((visibility("default"))) void *dlopen(const char *path,
                                                               int flags) noexcept {
    using Dlopen = void *(const char *, int);
    auto *const original = reinterpret_cast<Dlopen *>(dlsym(RTLD_NEXT, "dlopen"));
    return original(path, flags & ~RTLD_DEEPBIND);
}
