#include "interrupts.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "failure.hpp"
#include "written_whole.hpp"

namespace drsformer::tool {

Interrupts::Interrupts() {
    if (pipe2(pipe_, O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&signals_, number);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // writing then fails with EPIPE
    std::signal(SIGXFSZ, SIG_IGN);  // and with EFBIG
    thread_ = std::thread([this] { wait(); });
}

Interrupts::~Interrupts() {
    ending_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
    close(pipe_[0]);
    close(pipe_[1]);
}

void Interrupts::stop_by(std::function<void()> stop) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = std::move(stop);
}

void Interrupts::check() const {
    if (number() != 0) {
        throw Interrupted();
    }
}

void Interrupts::wait() {
    int number = 0;
    while (sigwait(&signals_, &number) == 0 && !ending_) {
        if (number_ != 0) {  // a second time: the network takes too long for the user
            const std::lock_guard<std::mutex> lock(writing());
            std::fprintf(stderr, "drs-derain: %s\n", Interrupted().what());
            _exit(128 + number);
        }
        number_ = number;
        // the pipe holds more than a byte, so this cannot fail or wait
        [[maybe_unused]] const auto written = write(pipe_[1], "", 1);
        const std::lock_guard<std::mutex> lock(mutex_);
        if (stop_) {
            stop_();
        }
    }
}

}  // namespace drsformer::tool
