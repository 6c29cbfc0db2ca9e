// Writes files whole or not at all, and never over an input.
#ifndef DRSFORMER_TOOLS_WRITTEN_WHOLE_HPP
#define DRSFORMER_TOOLS_WRITTEN_WHOLE_HPP

#include <mutex>
#include <string>
#include <vector>

#include "files.hpp"
#include "picture.hpp"

namespace drsformer::tool {

// Held while a file is written, so that whoever ends the process can wait until it is there.
std::mutex &writing();

// Throws Failure where `path` cannot become a file: it is a folder, a device or one of the inputs,
// or its folder cannot be written. Done before the work, so that no work is lost.
void check_target(const std::string &path, const std::vector<Identity> &inputs);

// Writes a file under a temporary name in the same folder, which is made if needed, and renames it
// when it is on the disk.
void write_whole(const std::string &path, const Bytes &bytes);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_WRITTEN_WHOLE_HPP
