// How much more memory this process may take; runtime/free_memory.py is the same in Python.
#ifndef DRSFORMER_FREE_MEMORY_HPP
#define DRSFORMER_FREE_MEMORY_HPP

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <thread>

namespace drsformer {

// Returns the bytes that this process may still take: the least of what is available on the
// machine, in the control groups of the process (versions 1 and 2) and all groups above them, and
// below its limit of address space. Nothing where that is not known, as on other systems than
// Linux. `root` is the folder that holds proc and sys.
std::optional<int64_t> free_memory(const std::filesystem::path &root = "/");

// Returns the bytes that this process has in memory; 0 where that is not known.
int64_t resident_bytes();

// Watches for the most bytes that this process has in memory, from a thread that looks each
// millisecond. (Linux knows a peak as well, but to begin it anew would change what the program that
// we are a part of may be measuring.)
class PeakMemory {
  public:
    PeakMemory() : thread_(&PeakMemory::watch, this) {}
    ~PeakMemory();
    PeakMemory(const PeakMemory &) = delete;
    PeakMemory &operator=(const PeakMemory &) = delete;

    // Ends watching, and returns the most bytes that were seen.
    int64_t stop();

  private:
    void watch();

    std::atomic<bool> stopped_{false};
    int64_t most_ = 0;
    std::thread thread_;
};

}  // namespace drsformer

#endif  // DRSFORMER_FREE_MEMORY_HPP
