// Ctrl-C and its like: a thread waits for them, since a signal handler may not call the library.
#ifndef DRSFORMER_TOOLS_INTERRUPTS_HPP
#define DRSFORMER_TOOLS_INTERRUPTS_HPP

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace drsformer::tool {

class Interrupts {
  public:
    // To be made before any other thread, so that all of them leave the signals to this one's.
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts &) = delete;
    Interrupts &operator=(const Interrupts &) = delete;

    // Says how to stop what is going on; nothing for no way. Called in another thread.
    void stop_by(std::function<void()> stop);

    // The signal that came, or 0.
    int number() const { return number_.load(); }

    // Throws Interrupted after a signal.
    void check() const;

    // A file that can be read from the first signal on, for poll.
    int descriptor() const { return pipe_[0]; }

  private:
    void wait();

    sigset_t signals_;
    int pipe_[2];
    std::atomic<int> number_{0};
    std::atomic<bool> ending_{false};
    std::mutex mutex_;
    std::function<void()> stop_;
    std::thread thread_;
};

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_INTERRUPTS_HPP
