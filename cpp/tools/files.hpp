// Reads files whole.
#ifndef DRSFORMER_TOOLS_FILES_HPP
#define DRSFORMER_TOOLS_FILES_HPP

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "picture.hpp"

namespace drsformer::tool {

// The first bytes of a regular file, all of them if `most` allows; throws Failure.
Bytes bytes_from_file(const std::string &path, std::size_t most = SIZE_MAX);

// Device and inode, which links share with their file.
struct Identity {
    dev_t device;
    ino_t inode;
    bool operator==(const Identity &other) const {
        return device == other.device && inode == other.inode;
    }
};

// The identity of a file that exists.
std::optional<Identity> identity_of(const std::string &path);

// The system's words for an error number.
std::string words_of(int error_number);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_FILES_HPP
