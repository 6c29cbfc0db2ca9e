// What TensorRT says: a process has one logger for each library, which keeps the first it is given.
//
// So all engines share the log, and each of them reads only what was said since its own mark.
#ifndef DRSFORMER_TENSORRT_MESSAGE_LOG_HPP
#define DRSFORMER_TENSORRT_MESSAGE_LOG_HPP

#include <cstdint>
#include <mutex>
#include <string>

namespace drsformer::tensorrt {

// The last error of a library; threads may share it. Nothing is printed.
class MessageLog {
  public:
    // Keeps an error; never throws, because the library calls it.
    void add(const char *error) noexcept;

    // Returns the number of errors so far, as the mark of what comes next.
    std::uint64_t mark() const;

    // Returns the last error since a mark in one line.
    std::string reason_since(std::uint64_t mark) const;

  private:
    mutable std::mutex mutex_;
    std::uint64_t count_ = 0;
    std::string last_;
};

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TENSORRT_MESSAGE_LOG_HPP
