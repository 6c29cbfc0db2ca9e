#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace drsformer::tool {

Progress::Progress(std::string name)
    : name_(std::move(name)),
      start_(std::chrono::steady_clock::now()),
      on_terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (shown_) {
        std::fputs("\r\033[K", stderr);  // clears the line
    }
}

void Progress::show(std::int32_t done, std::int32_t total) {
    const auto taken = std::chrono::steady_clock::now() - start_;
    if (on_terminal_ && taken > std::chrono::seconds(2)) {
        std::fprintf(stderr, "\r\033[K%s: %d of %d tiles", name_.c_str(), done, total);
        std::fflush(stderr);
        shown_ = true;
    }
}

}  // namespace drsformer::tool
