#include "raw_frames.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "failure.hpp"
#include "files.hpp"
#include "model.hpp"
#include "picture.hpp"

namespace drsformer::tool {
namespace {

std::size_t frame_size(const FrameLayout &layout) {
    const std::size_t pixels =
        static_cast<std::size_t>(layout.width) * static_cast<std::size_t>(layout.height);
    switch (layout.format) {
        case DRS_YUYV:
            return pixels * 2;
        case DRS_NV12:
            return pixels + pixels / 2;
        default:
            return pixels * channels(layout.format) * sample_size(layout.format);
    }
}

// Exchanges the bytes of rgb48le's samples where the machine's order is another.
void to_or_from_little_endian(Bytes &frame, const FrameLayout &layout) {
    if (sample_size(layout.format) == 2 && !is_little_endian()) {
        for (std::size_t i = 0; i + 1 < frame.size(); i += 2) {
            std::swap(frame[i], frame[i + 1]);
        }
    }
}

// Waits until a pipe is ready or an interrupt comes.
void wait_for(int file, short event, const Interrupts &interrupts) {
    pollfd files[2] = {{file, event, 0}, {interrupts.descriptor(), POLLIN, 0}};
    while (poll(files, 2, -1) < 0) {
        if (errno != EINTR) {
            throw Failure("cannot wait for a pipe: " + words_of(errno));
        }
    }
    interrupts.check();
}

// Reads up to a whole frame and returns the number of bytes, fewer only at the end.
std::size_t read_frame(Bytes &frame, const Interrupts &interrupts) {
    std::size_t done = 0;
    while (done < frame.size()) {
        wait_for(STDIN_FILENO, POLLIN, interrupts);
        const ssize_t count = read(STDIN_FILENO, frame.data() + done, frame.size() - done);
        if (count < 0 && errno != EINTR && errno != EAGAIN) {
            throw Failure("cannot read the standard input: " + words_of(errno));
        }
        if (count == 0) {
            break;
        }
        done += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    return done;
}

void write_frame(const Bytes &frame, const Interrupts &interrupts) {
    std::size_t done = 0;
    while (done < frame.size()) {
        wait_for(STDOUT_FILENO, POLLOUT, interrupts);
        // no more than fits for sure: a longer write would wait for a slow reader, and not for
        // Ctrl-C
        const std::size_t piece = std::min<std::size_t>(frame.size() - done, PIPE_BUF);
        const ssize_t count = write(STDOUT_FILENO, frame.data() + done, piece);
        if (count < 0 && errno == EPIPE) {
            throw OutputClosed();
        }
        if (count < 0 && errno != EINTR && errno != EAGAIN) {
            throw Failure("cannot write to the standard output: " + words_of(errno));
        }
        done += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
}

ImageView view_of(Bytes &frame, const FrameLayout &layout) {
    ImageView view(frame.data(), layout.width, layout.height, layout.format);
    view.image.matrix = layout.matrix;
    view.image.range = layout.range;
    return view;
}

// Throws for a stream that ended elsewhere than behind a frame.
void check_end(std::size_t rest, const Bytes &frame, std::uint64_t frames) {
    if (rest != 0) {
        throw Failure("the input ended in frame " + std::to_string(frames + 1) + ", after " +
                      std::to_string(rest) + " of its " + std::to_string(frame.size()) +
                      " bytes; check --raw and --format");
    }
    if (frames == 0) {
        throw Failure("no frame came through the standard input; see what should have sent them");
    }
}

}  // namespace

void derain_raw_frames(const Options &options, Interrupts &interrupts) {
    if (isatty(STDOUT_FILENO) == 1) {
        throw UsageError("raw frames would go to the terminal; send the standard output elsewhere");
    }
    const FrameLayout &layout = *options.raw;
    Model model(options, interrupts);
    if (options.verbose) {
        std::fprintf(stderr, "%s: %s\n", options.model.c_str(), model.description().c_str());
    }
    Bytes frame(frame_size(layout));
    std::uint64_t frames = 0;
    std::size_t got = 0;
    for (; (got = read_frame(frame, interrupts)) == frame.size(); ++frames) {
        const std::string name = "frame " + std::to_string(frames + 1);
        to_or_from_little_endian(frame, layout);
        model.derain(view_of(frame, layout), name);
        to_or_from_little_endian(frame, layout);
        write_frame(frame, interrupts);
        if (options.timings) {
            std::fprintf(stderr, "%s: %s\n", name.c_str(), model.timings().c_str());
        }
    }
    check_end(got, frame, frames);
}

}  // namespace drsformer::tool
