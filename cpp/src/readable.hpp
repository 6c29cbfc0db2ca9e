// Reads regular files only: opening a pipe or a device can wait for ever.
#ifndef DRSFORMER_READABLE_HPP
#define DRSFORMER_READABLE_HPP

#include <cstdint>
#include <filesystem>
#include <string>

#include "drsformer/derainer.h"

namespace drsformer {

// Throws Failure with this status unless path is a regular file that is readable and not empty.
// The remedy ends the sentence.
void check_readable(const std::filesystem::path &path, drs_status status,
                    const std::string &remedy);

// Returns a file's bytes after check_readable; refuses a file of more than most bytes.
std::string bytes_of(const std::filesystem::path &path, std::uint64_t most, drs_status status,
                     const std::string &remedy);

// Returns the SHA-256 of a file as 64 hexadecimal digits; throws Failure where reading it fails.
std::string sha256_of(const std::filesystem::path &path, drs_status status);

// Returns a number with commas between the thousands.
std::string with_commas(std::uint64_t number);

}  // namespace drsformer

#endif  // DRSFORMER_READABLE_HPP
