// Derains a camera's frames in a thread of its own; the newest frame wins.
//
//     submit -> waiting -> working -> ready -> wait
//
// Each stage has one slot, and slots are swapped, never copied: at a constant size nothing is
// allocated. The thread owns the object together with its handle, so it may outlive the handle.
#ifndef DRSFORMER_CAMERA_HPP
#define DRSFORMER_CAMERA_HPP

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
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
    // Begins the thread.
    static std::shared_ptr<CameraThread> begun(std::shared_ptr<Runtime> runtime);

    explicit CameraThread(std::shared_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {}
    ~CameraThread() = default;
    CameraThread(const CameraThread &) = delete;
    CameraThread &operator=(const CameraThread &) = delete;

    void submit(const View &frame, uint64_t number);
    void wait(const View &clean, uint64_t *number, int64_t timeout_ms);
    void drain(int64_t timeout_ms);
    void fill_counts(drs_camera_counts &counts);

    // Ends all waiting, and waits until the thread has ended, after its current frame. Called from
    // that thread, or from inside a call on the same derainer, it does not wait.
    void close();

  private:
    // A frame and what became of it.
    struct Slot {
        bool full = false;
        uint64_t number = 0;
        std::vector<uint8_t> pixels;  // the frame's own, rows without gaps
        View frame;                   // a view of them
        std::vector<uint8_t> rgb;     // the result
        drs_status status = DRS_OK;
        std::string message;  // empty where there was no memory for it
    };

    void run();
    void derain(Slot &slot);

    // Waits until `is_over`, or the camera is closed; throws where neither happens in time.
    template <typename Condition>
    void wait_until(std::unique_lock<std::mutex> &lock, int64_t timeout_ms, Condition is_over);

    std::shared_ptr<Runtime> runtime_;
    std::mutex mutex_;  // of all below, except `working_`, and `given_` while `giving_` is true
    std::condition_variable changed_;
    Slot waiting_;
    Slot ready_;
    Slot working_;  // the thread's own
    Slot given_;    // its pixels are written while new frames come in
    bool giving_ = false;
    drs_camera_counts counts_ = {sizeof(drs_camera_counts), 0, 0, 0, 0, 0, 0};
    bool busy_ = false;  // the thread derains a frame
    bool stopped_ = false;
    bool ended_ = false;
    std::thread::id thread_;
};

}  // namespace drsformer

#endif  // DRSFORMER_CAMERA_HPP
