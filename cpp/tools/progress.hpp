// Tells on a terminal how far a long picture is.
#ifndef DRSFORMER_TOOLS_PROGRESS_HPP
#define DRSFORMER_TOOLS_PROGRESS_HPP

#include <chrono>
#include <cstdint>
#include <string>

namespace drsformer::tool {

class Progress {
  public:
    explicit Progress(std::string name);
    ~Progress();
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;

    // Prints a line over the last one, if the picture has taken more than two seconds.
    void show(std::int32_t done, std::int32_t total);

  private:
    std::string name_;
    std::chrono::steady_clock::time_point start_;
    bool on_terminal_;
    bool shown_ = false;
};

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_PROGRESS_HPP
