#include "message_log.hpp"

#include "one_line.hpp"

namespace drsformer::tensorrt {
namespace {

constexpr std::size_t longest_reason = 320;

}  // namespace

void MessageLog::add(const char *error) noexcept {
    try {
        auto line = one_line(error == nullptr ? "" : error, longest_reason);
        const std::lock_guard<std::mutex> lock(mutex_);
        last_ = std::move(line);
        ++count_;
    } catch (...) {  // no memory for a message: the reason is lost, and the call goes on
        return;
    }
}

std::uint64_t MessageLog::mark() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
}

std::string MessageLog::reason_since(std::uint64_t mark) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_ > mark ? last_ : "it gives no reason";
}

}  // namespace drsformer::tensorrt
