// Handles that are numbers and never used twice: one that was closed is an error and not a crash.
#ifndef DRSFORMER_HANDLES_HPP
#define DRSFORMER_HANDLES_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "failure.hpp"

namespace drsformer {

// Returns a number that no handle of any kind had before.
inline std::uintptr_t next_handle() {
    static std::atomic<std::uintptr_t> last{0};
    return ++last;
}

// The objects behind the handles of one kind; threads may share it.
template <typename Handle, typename Object>
class Handles {
  public:
    explicit Handles(const char *name) : name_(name) {}

    Handle *add(std::shared_ptr<Object> object) {
        const std::lock_guard lock(mutex_);
        const std::uintptr_t number = next_handle();
        objects_.emplace(number, std::move(object));
        return reinterpret_cast<Handle *>(number);  // NOLINT(performance-no-int-to-ptr)
    }

    // Returns the object, which then stays while the caller uses it. Throws Failure.
    std::shared_ptr<Object> get(const Handle *handle) {
        if (!handle) {
            throw Failure(DRS_INVALID_ARGUMENT,
                          "the " + name_ + " is a null pointer; expected one that was opened");
        }
        const std::lock_guard lock(mutex_);
        const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
        if (found == objects_.end()) {
            throw Failure(DRS_CLOSED, "the " + name_ +
                                          " is not open: it was closed, or never was one; open a "
                                          "new one");
        }
        return found->second;
    }

    // Takes the object out; nothing where there is none.
    std::shared_ptr<Object> remove(const Handle *handle) {
        const std::lock_guard lock(mutex_);
        const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
        if (found == objects_.end()) return nullptr;
        std::shared_ptr<Object> object = std::move(found->second);
        objects_.erase(found);
        return object;
    }

  private:
    const std::string name_;
    std::mutex mutex_;
    std::unordered_map<std::uintptr_t, std::shared_ptr<Object>> objects_;
};

}  // namespace drsformer

#endif  // DRSFORMER_HANDLES_HPP
