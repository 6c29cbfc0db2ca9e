#include "camera_source.hpp"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

std::system_error system_error(const std::string &what) {
    return std::system_error(errno, std::generic_category(), what);
}

class Pipe : public Source {
  public:
    Pipe(int width, int height, double fps)
        : stride_(2 * static_cast<std::size_t>(width)),
          frame_(stride_ * static_cast<std::size_t>(height)),
          period_(
              std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / fps))) {
    }

    bool next(const UseFrame &use) override {
        std::this_thread::sleep_until(due_);
        due_ = std::max(due_ + period_, Clock::now());
        if (std::fread(frame_.data(), frame_.size(), 1, stdin) != 1) {
            return false;
        }
        use(frame_.data(), stride_);
        return true;
    }

  private:
    using Clock = std::chrono::steady_clock;

    std::size_t stride_;
    std::vector<unsigned char> frame_;
    Clock::duration period_;
    Clock::time_point due_ = Clock::now();
};

// The camera's buffers are mapped into this process: a frame is copied once, by the library.
class Camera : public Source {
  public:
    Camera(const std::string &path, int width, int height)
        : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        if (file_.number < 0) {
            throw system_error("cannot open " + path);
        }
        set_format(static_cast<unsigned>(width), static_cast<unsigned>(height));
        map_buffers();
        int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        control(VIDIOC_STREAMON, &type, "cannot start the camera");
    }

    bool next(const UseFrame &use) override {
        v4l2_buffer buffer = buffer_of(0);  // which one it is comes back
        if (ioctl(file_.number, VIDIOC_DQBUF, &buffer) != 0) {
            if (errno == EINTR) {
                return false;
            }
            throw system_error("the camera gives no frame");
        }
        use(buffers_[buffer.index].start, stride_);
        control(VIDIOC_QBUF, &buffer, "the camera does not take its buffer back");
        return true;
    }

  private:
    struct File {
        explicit File(int opened) : number(opened) {}
        ~File() { close(number); }
        File(const File &) = delete;
        File &operator=(const File &) = delete;
        int number;
    };

    struct Mapped {
        Mapped(int file, const v4l2_buffer &buffer)
            : start(mmap(nullptr, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                         buffer.m.offset)),
              size(buffer.length) {
            if (start == MAP_FAILED) {
                throw system_error("cannot map a buffer of the camera");
            }
        }
        ~Mapped() {
            if (start != nullptr) {
                munmap(start, size);
            }
        }
        Mapped(Mapped &&other) noexcept
            : start(std::exchange(other.start, nullptr)), size(other.size) {}
        Mapped(const Mapped &) = delete;
        Mapped &operator=(const Mapped &) = delete;
        Mapped &operator=(Mapped &&) = delete;
        void *start;
        std::size_t size;
    };

    static v4l2_buffer buffer_of(unsigned index) {
        v4l2_buffer buffer = {};
        buffer.index = index;
        buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        buffer.memory = V4L2_MEMORY_MMAP;
        return buffer;
    }

    void control(unsigned long request, void *argument, const char *what) const {
        if (ioctl(file_.number, request, argument) != 0) {
            throw system_error(what);
        }
    }

    void set_format(unsigned width, unsigned height) {
        v4l2_format format = {};
        format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        format.fmt.pix.width = width;
        format.fmt.pix.height = height;
        format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
        format.fmt.pix.field = V4L2_FIELD_NONE;
        control(VIDIOC_S_FMT, &format, "the camera does not take a format");
        const v4l2_pix_format &got = format.fmt.pix;  // the driver may have chosen another one
        if (got.pixelformat != V4L2_PIX_FMT_YUYV || got.width != width || got.height != height) {
            throw std::runtime_error(
                "the camera has no YUYV of this size; the nearest that it has "
                "is " +
                std::to_string(got.width) + "x" + std::to_string(got.height));
        }
        stride_ = got.bytesperline;
    }

    void map_buffers() {
        v4l2_requestbuffers request = {};
        request.count = 4;
        request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        request.memory = V4L2_MEMORY_MMAP;
        control(VIDIOC_REQBUFS, &request, "the camera cannot map its buffers");
        for (unsigned index = 0; index < request.count; ++index) {
            v4l2_buffer buffer = buffer_of(index);
            control(VIDIOC_QUERYBUF, &buffer, "the camera does not describe its buffers");
            buffers_.emplace_back(file_.number, buffer);
            control(VIDIOC_QBUF, &buffer, "the camera does not take its buffer");
        }
    }

    File file_;
    std::size_t stride_ = 0;
    std::vector<Mapped> buffers_;
};

}  // namespace

std::unique_ptr<Source> open_camera(const std::string &path, int width, int height) {
    return std::make_unique<Camera>(path, width, height);
}

std::unique_ptr<Source> open_pipe(int width, int height, double fps) {
    return std::make_unique<Pipe>(width, height, fps);
}
