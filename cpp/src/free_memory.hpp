// How much more memory this process may take; runtime/free_memory.py is the same in Python.
#ifndef DRSFORMER_FREE_MEMORY_HPP
#define DRSFORMER_FREE_MEMORY_HPP

#include <cstdint>
#include <filesystem>
#include <optional>

namespace drsformer {

// Returns the bytes that this process may still take: the least of what is available on the
// machine, in the control groups of the process (versions 1 and 2) and all groups above them, and
// below its limit of address space. Nothing where that is not known, as on other systems than
// Linux. `root` is the folder that holds proc and sys.
std::optional<int64_t> free_memory(const std::filesystem::path &root = "/");

// Returns the bytes that this process has in memory; 0 where that is not known.
int64_t resident_bytes();

}  // namespace drsformer

#endif  // DRSFORMER_FREE_MEMORY_HPP
