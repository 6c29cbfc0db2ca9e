#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "failure.hpp"
#include "file_descriptor.hpp"

namespace drsformer::tool {
namespace {

[[noreturn]] void cannot_read(const std::string &path, int error_number) {
    throw Failure(path + ": cannot be read: " + words_of(error_number));
}

// Reads until the buffer is full or the file ends, and returns the number of bytes.
std::size_t read_up_to(int file, std::uint8_t *target, std::size_t size, const std::string &path) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = read(file, target + done, size - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            cannot_read(path, errno);
        }
        if (count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    return done;
}

}  // namespace

Bytes bytes_from_file(const std::string &path, std::size_t most) {
    // opening a pipe would wait for who writes into it
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status = {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0) {
        cannot_read(path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Failure(path + ": not a regular file; expected an image");
    }
    Bytes bytes(std::min(most, static_cast<std::size_t>(status.st_size)));
    bytes.resize(read_up_to(file.get(), bytes.data(), bytes.size(), path));
    return bytes;
}

std::optional<Identity> identity_of(const std::string &path) {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    return Identity{status.st_dev, status.st_ino};
}

std::string words_of(int error_number) {
    return std::error_code(error_number, std::generic_category()).message();
}

}  // namespace drsformer::tool
