// Where the camera example takes its frames from: a camera of Linux, or a pipe. Frames are YUYV,
// which most cameras give.
#ifndef DRSFORMER_EXAMPLES_CAMERA_SOURCE_HPP
#define DRSFORMER_EXAMPLES_CAMERA_SOURCE_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

// Gets the frame's first row, and the bytes from a row to the next.
using UseFrame = std::function<void(void *pixels, std::size_t stride)>;

class Source {
  public:
    virtual ~Source() = default;

    // Waits for the next frame and hands it to `use`; false at the end and after an interrupt.
    virtual bool next(const UseFrame &use) = 0;
};

// Opens a camera such as /dev/video0; throws std::runtime_error.
std::unique_ptr<Source> open_camera(const std::string &path, int width, int height);

// Reads frames that lie one after the other in the standard input, so many a second.
std::unique_ptr<Source> open_pipe(int width, int height, double fps);

#endif  // DRSFORMER_EXAMPLES_CAMERA_SOURCE_HPP
