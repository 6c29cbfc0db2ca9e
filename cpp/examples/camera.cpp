// Derains a camera's frames as they come. A frame that comes while the network is busy replaces the
// one that waits, so what is shown is never old.
//
//     camera MODEL /dev/video0 --raw 640x480 [--write]
//     ffmpeg -i rainy.mp4 -f rawvideo -pix_fmt yuyv422 - | camera MODEL --raw 640x480 [--fps 30]
//
// Speed, latency and drops are printed each second and at the end; with --write the derained frames
// go to the standard output. Ctrl-C ends it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "camera_source.hpp"
#include "drsformer/derainer.hpp"

namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

// A frame's number is the time when it came.
std::uint64_t now() {
    return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Prints lines about frames, over which it is told of latencies.
class Statistics {
  public:
    void add(std::uint64_t came, const drs_camera_counts &counts) {
        const auto latency = Clock::duration(static_cast<Clock::rep>(now() - came));
        latencies_.push_back(std::chrono::duration<double, std::milli>(latency).count());
        dropped_ = counts.dropped;
    }

    void print_each_second() {
        if (seconds_since(printed_) >= 1) {
            print("", printed_frames_, printed_, dropped_ - printed_dropped_);
            printed_frames_ = latencies_.size();
            printed_dropped_ = dropped_;
            printed_ = Clock::now();
        }
    }

    void print_all() const { print("in all: ", 0, start_, dropped_); }

  private:
    void print(const char *what, std::size_t first, Clock::time_point since,
               std::uint64_t dropped) const {
        std::vector<double> times(latencies_.begin() + static_cast<std::ptrdiff_t>(first),
                                  latencies_.end());
        std::sort(times.begin(), times.end());
        const auto frames = static_cast<double>(std::max<std::size_t>(times.size(), 1));
        const double mean = std::accumulate(times.begin(), times.end(), 0.0) / frames;
        const double p95 = times.empty() ? 0 : times[(times.size() - 1) * 95 / 100];
        std::fprintf(stderr,
                     "%s%.1f fps, latency mean %.0f ms, p95 %.0f ms; %zu derained, %ju dropped\n",
                     what, static_cast<double>(times.size()) / seconds_since(since), mean, p95,
                     times.size(), std::uintmax_t{dropped});
    }

    Clock::time_point start_ = Clock::now();
    Clock::time_point printed_ = start_;
    std::size_t printed_frames_ = 0;
    std::uint64_t printed_dropped_ = 0;
    std::uint64_t dropped_ = 0;
    std::vector<double> latencies_;
};

struct Arguments {
    std::string model;
    std::string device;  // "" for the standard input
    int width = 0;
    int height = 0;
    double fps = 30;
    bool write = false;
};

// Collects the results in a thread of its own until the camera is closed.
class Collector {
  public:
    Collector(drsformer::Camera &camera, const Arguments &arguments)
        : camera_(camera), arguments_(arguments), thread_([this] { run(); }) {}
    ~Collector() {
        camera_.close();  // ends the thread's wait
        thread_.join();
        statistics_.print_all();
    }
    Collector(const Collector &) = delete;
    Collector &operator=(const Collector &) = delete;

    bool failed() const { return failed_; }

    // Whether each frame that was submitted has come to its end.
    bool has_all() const {
        const drs_camera_counts counts = camera_.counts();
        const uint64_t done = counts.derained + counts.failed;
        return counts.submitted == done + counts.dropped &&
               done == collected_ + counts.not_collected;
    }

  private:
    void run() try {
        const auto stride = 2 * static_cast<std::size_t>(arguments_.width);
        std::vector<char> pixels(stride * static_cast<std::size_t>(arguments_.height));
        const drsformer::ImageView clean(pixels.data(), arguments_.width, arguments_.height,
                                         DRS_YUYV);
        while (const auto came = camera_.wait(clean, std::chrono::milliseconds(-1))) {
            statistics_.add(*came, camera_.counts());
            statistics_.print_each_second();
            if (arguments_.write) std::fwrite(pixels.data(), pixels.size(), 1, stdout);
            ++collected_;
        }
    } catch (const drsformer::Error &error) {
        if (error.status() == DRS_CLOSED) return;
        std::fprintf(stderr, "%s\n", error.what());
        failed_ = true;
    }

    drsformer::Camera &camera_;
    const Arguments &arguments_;
    Statistics statistics_;
    std::atomic<std::uint64_t> collected_{0};
    std::atomic<bool> failed_{false};
    std::thread thread_;
};

Arguments arguments_from(int count, char **values) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string value = values[i];
        if (value == "--raw" && i + 1 < count) {
            std::sscanf(values[++i], "%5dx%5d", &arguments.width, &arguments.height);
        } else if (value == "--fps" && i + 1 < count) {
            arguments.fps = std::max(0.1, std::atof(values[++i]));
        } else if (value == "--write") {
            arguments.write = true;
        } else {
            (arguments.model.empty() ? arguments.model : arguments.device) = value;
        }
    }
    if (arguments.model.empty() || arguments.width < 1 || arguments.height < 1) {
        throw std::runtime_error("usage: camera MODEL [/dev/videoN] --raw WxH [--fps N] [--write]");
    }
    return arguments;
}

void run(const Arguments &arguments) {
    drsformer::Derainer derainer(arguments.model);
    derainer.warm_up(arguments.width, arguments.height);
    const std::unique_ptr<Source> source =
        arguments.device.empty() ? open_pipe(arguments.width, arguments.height, arguments.fps)
                                 : open_camera(arguments.device, arguments.width, arguments.height);
    drsformer::Camera camera(derainer);
    Collector collector(camera, arguments);
    const auto submit = [&](void *pixels, std::size_t stride) {
        camera.submit({pixels, arguments.width, arguments.height, DRS_YUYV, stride}, now());
    };
    while (!interrupted && !collector.failed() && source->next(submit)) {
    }
    while (!interrupted && !collector.failed() && !collector.has_all()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

}  // namespace

int main(int count, char **values) try {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };  // a read that waits ends with it
    sigaction(SIGINT, &action, nullptr);
    run(arguments_from(count, values));
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
