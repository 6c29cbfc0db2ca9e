#include "camera.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace drsformer {
namespace {

// Copies a frame with rows without gaps. `to` changes when the memory is there.
void copy_frame(const View &from, std::vector<uint8_t> &pixels, View &to) {
    const std::size_t stride = from.row_bytes();
    const auto rows = static_cast<std::size_t>(from.height());
    const std::size_t chroma_rows = from.format == DRS_NV12 ? rows / 2 : 0;
    pixels.resize((rows + chroma_rows) * stride);
    to = from;
    to.stride = to.chroma_stride = stride;
    to.data = pixels.data();
    to.chroma = chroma_rows ? pixels.data() + rows * stride : nullptr;
    for (std::size_t y = 0; y < rows; ++y) {
        std::memcpy(to.data + y * stride, from.data + y * from.stride, stride);
    }
    for (std::size_t y = 0; y < chroma_rows; ++y) {
        std::memcpy(to.chroma + y * stride, from.chroma + y * from.chroma_stride, stride);
    }
}

// Copies a message, if there is memory for it.
void keep(std::string &message, const char *text) noexcept {
    try {
        message = text;
    } catch (...) {
        message.clear();
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

std::shared_ptr<CameraThread> CameraThread::begun(std::shared_ptr<Runtime> runtime) {
    auto camera = std::make_shared<CameraThread>(std::move(runtime));
    const std::lock_guard lock(camera->mutex_);
    std::thread thread([camera] { camera->run(); });
    camera->thread_ = thread.get_id();
    thread.detach();
    return camera;
}

void CameraThread::submit(const View &frame, uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (stopped_) throw Failure(DRS_CLOSED, "the camera was closed; open a new one");
    if (waiting_.full) ++counts_.dropped;
    waiting_.full = false;
    ++counts_.submitted;
    try {
        copy_frame(frame, waiting_.pixels, waiting_.frame);
    } catch (...) {
        --counts_.submitted;
        throw;
    }
    waiting_.number = number;
    waiting_.full = true;
    changed_.notify_all();
}

void CameraThread::wait(const View &clean, uint64_t *number, int64_t timeout_ms) {
    runtime_->check_not_inside();
    std::unique_lock lock(mutex_);
    wait_until(lock, timeout_ms, [this] { return ready_.full && !giving_; });
    if (ready_.status == DRS_OK) check_pair(ready_.frame, clean);
    std::swap(ready_, given_);
    ready_.full = false;
    if (number) *number = given_.number;
    if (given_.status != DRS_OK) {
        throw Failure(given_.status,
                      given_.message.empty() ? "no memory is left for a frame" : given_.message);
    }
    giving_ = true;
    lock.unlock();
    write_rgb(given_.rgb.data(), given_.frame, clean);
    lock.lock();
    giving_ = false;
    changed_.notify_all();
}

void CameraThread::drain(int64_t timeout_ms) {
    runtime_->check_not_inside();
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

void CameraThread::close() {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    if (thread_ == std::this_thread::get_id() || runtime_->is_inside()) return;
    changed_.wait(lock, [this] { return ended_; });
}

// Body of the thread.
void CameraThread::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return waiting_.full || stopped_; });
        if (stopped_) break;
        std::swap(waiting_, working_);
        waiting_.full = false;
        busy_ = true;
        lock.unlock();
        derain(working_);
        lock.lock();
        busy_ = false;
        ++(working_.status == DRS_OK ? counts_.derained : counts_.failed);
        if (ready_.full) ++counts_.not_collected;
        std::swap(working_, ready_);
        changed_.notify_all();
    }
    ended_ = true;
    changed_.notify_all();
}

// Derains a slot's frame. Nothing may be thrown out of the thread, not even by the program's own
// on_message.
void CameraThread::derain(Slot &slot) {
    slot.message.clear();
    slot.status = DRS_OK;
    try {
        runtime_->derain(slot.frame, rgb_view(slot.frame, slot.rgb), nullptr);
    } catch (const Failure &failure) {
        slot.status = failure.status;
        keep(slot.message, failure.what());
    } catch (const std::bad_alloc &) {
        slot.status = DRS_OUT_OF_MEMORY;
    } catch (const std::exception &exception) {
        slot.status = DRS_INTERNAL_ERROR;
        keep(slot.message, exception.what());
    } catch (...) {
        slot.status = DRS_INTERNAL_ERROR;
        keep(slot.message, "an unknown exception");
    }
}

}  // namespace drsformer
