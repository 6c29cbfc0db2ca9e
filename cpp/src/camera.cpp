#include "camera.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace drsformer {
namespace {

// Copies a frame with rows without gaps.
void copy_frame(const View &from, std::vector<uint8_t> &pixels, View &to) {
    to = from;
    to.stride = from.row_bytes();
    to.chroma_stride = to.stride;
    const auto rows = static_cast<std::size_t>(from.height());
    const std::size_t chroma_rows = from.format == DRS_NV12 ? rows / 2 : 0;
    pixels.resize((rows + chroma_rows) * to.stride);
    to.data = pixels.data();
    to.chroma = chroma_rows ? pixels.data() + rows * to.stride : nullptr;
    for (std::size_t y = 0; y < rows; ++y) {
        std::memcpy(to.data + y * to.stride, from.data + y * from.stride, to.stride);
    }
    for (std::size_t y = 0; y < chroma_rows; ++y) {
        std::memcpy(to.chroma + y * to.stride, from.chroma + y * from.chroma_stride, to.stride);
    }
}

// Returns a view of RGB rows for the result of a frame.
View rgb_view(const View &frame, std::vector<uint8_t> &rgb) {
    View view;
    view.format = frame.bits() == 16 ? DRS_RGB16 : DRS_RGB8;
    view.size = frame.size;
    view.stride = view.row_bytes();
    rgb.resize(view.stride * static_cast<std::size_t>(frame.height()));
    view.data = rgb.data();
    return view;
}

}  // namespace

CameraThread::CameraThread(std::shared_ptr<Runtime> runtime)
    : runtime_(std::move(runtime)), thread_(&CameraThread::run, this) {}

CameraThread::~CameraThread() {
    stop();
    thread_.join();
}

void CameraThread::submit(const View &frame, uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (stopped_) throw Failure(DRS_CLOSED, "the camera was closed; open a new one");
    ++counts_.submitted;
    if (waiting_.full) ++counts_.dropped;
    copy_frame(frame, waiting_.pixels, waiting_.frame);
    waiting_.number = number;
    waiting_.full = true;
    changed_.notify_all();
}

void CameraThread::wait(const View &clean, uint64_t *number, int64_t timeout_ms) {
    const std::lock_guard giving(giving_);
    {
        std::unique_lock lock(mutex_);
        wait_until(lock, timeout_ms, [this] { return ready_.full; });
        if (!ready_.failure) check_pair(ready_.frame, clean);
        std::swap(ready_, given_);
        ready_.full = false;
    }
    if (number) *number = given_.number;
    if (given_.failure) throw Failure(*given_.failure);
    write_rgb(given_.rgb.data(), given_.frame, clean);
}

void CameraThread::drain(int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    wait_until(lock, timeout_ms, [this] { return !waiting_.full && !busy_; });
}

template <typename Condition>
void CameraThread::wait_until(std::unique_lock<std::mutex> &lock, int64_t timeout_ms,
                              Condition is_over) {
    const auto ends = [&] { return is_over() || stopped_; };
    if (timeout_ms < 0) {
        changed_.wait(lock, ends);
    } else {  // a day at most: larger numbers overflow the clock
        const auto most = std::chrono::milliseconds(std::min<int64_t>(timeout_ms, 86400000));
        changed_.wait_for(lock, most, ends);
    }
    if (stopped_) throw Failure(DRS_CLOSED, "the camera was closed; open a new one");
    if (!is_over()) {
        throw Failure(DRS_TIMED_OUT, "no frame was ready after " + std::to_string(timeout_ms) +
                                         " ms; wait longer, or submit one");
    }
}

void CameraThread::fill_counts(drs_camera_counts &counts) {
    const std::lock_guard lock(mutex_);
    counts.submitted = counts_.submitted;
    counts.derained = counts_.derained;
    counts.failed = counts_.failed;
    counts.dropped = counts_.dropped;
    counts.not_collected = counts_.not_collected;
}

void CameraThread::stop() noexcept {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
}

// Body of the thread.
void CameraThread::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return waiting_.full || stopped_; });
        if (stopped_) return;
        std::swap(waiting_, working_);
        waiting_.full = false;
        busy_ = true;
        lock.unlock();
        derain(working_);
        lock.lock();
        busy_ = false;
        ++(working_.failure ? counts_.failed : counts_.derained);
        if (ready_.full) ++counts_.not_collected;
        std::swap(working_, ready_);
        changed_.notify_all();
    }
}

void CameraThread::derain(Slot &slot) {
    slot.failure.reset();
    try {
        runtime_->derain(slot.frame, rgb_view(slot.frame, slot.rgb), nullptr);
    } catch (const Failure &failure) {
        slot.failure = failure;
    } catch (const std::bad_alloc &) {
        slot.failure = Failure(DRS_OUT_OF_MEMORY, "no memory is left for a frame");
    }
}

}  // namespace drsformer
