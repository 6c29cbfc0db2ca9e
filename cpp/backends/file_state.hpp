// What differs between two versions of a file.
#ifndef DRSFORMER_BACKENDS_FILE_STATE_HPP
#define DRSFORMER_BACKENDS_FILE_STATE_HPP

#include <sys/stat.h>

#include <string>
#include <tuple>

namespace drsformer::backend {

// Number, size, and time of the last change; zeros where there is no file.
using FileState = std::tuple<ino_t, off_t, time_t, long>;

inline FileState file_state(const std::string &path) {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_FILE_STATE_HPP
