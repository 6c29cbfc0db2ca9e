// Derains a camera's frames in a thread of its own; the newest frame wins.
//
//     submit -> waiting -> working -> ready -> wait
//
// Each stage has one slot, and slots are swapped, never copied: at a constant size nothing is
// allocated.
#ifndef DRSFORMER_CAMERA_HPP
#define DRSFORMER_CAMERA_HPP

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "failure.hpp"
#include "pixels.hpp"
#include "runtime.hpp"

namespace drsformer {

// Several threads may use one. Methods throw Failure.
class CameraThread {
  public:
    explicit CameraThread(std::shared_ptr<Runtime> runtime);
    ~CameraThread();
    CameraThread(const CameraThread &) = delete;
    CameraThread &operator=(const CameraThread &) = delete;

    void submit(const View &frame, uint64_t number);
    void wait(const View &clean, uint64_t *number, int64_t timeout_ms);
    void drain(int64_t timeout_ms);
    void fill_counts(drs_camera_counts &counts);

    // Ends all waiting, and the thread after its current frame.
    void stop() noexcept;

  private:
    // A frame and what became of it.
    struct Slot {
        bool full = false;
        uint64_t number = 0;
        std::vector<uint8_t> pixels;  // the frame's own, rows without gaps
        View frame;                   // a view of them
        std::vector<uint8_t> rgb;     // the result
        std::optional<Failure> failure;
    };

    void run();
    void derain(Slot &slot);

    // Waits until `is_over`, or the camera is closed; throws where neither happens in time.
    template <typename Condition>
    void wait_until(std::unique_lock<std::mutex> &lock, int64_t timeout_ms, Condition is_over);

    std::shared_ptr<Runtime> runtime_;
    std::mutex mutex_;  // of all below, except `working_` and `given_`
    std::condition_variable changed_;
    Slot waiting_;
    Slot ready_;
    Slot working_;       // the thread's own
    std::mutex giving_;  // of `given_`: its pixels are written while new frames come in
    Slot given_;
    drs_camera_counts counts_ = {sizeof(drs_camera_counts), 0, 0, 0, 0, 0, 0};
    bool busy_ = false;  // the thread derains a frame
    bool stopped_ = false;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace drsformer

#endif  // DRSFORMER_CAMERA_HPP
