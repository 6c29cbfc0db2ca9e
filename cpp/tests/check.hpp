// Checks for tests without a framework: they count what is wrong, and go on.
//
//     CHECK(1 + 1 == 2);
//     CHECK_FAILS(check_image(wrong), DRS_SHAPE_ERROR, "expected");
//     return drsformer::checks_result();  // of main: 0 if all were right
//
// They are macros for the text of the expression and its line alone.
#ifndef DRSFORMER_TESTS_CHECK_HPP
#define DRSFORMER_TESTS_CHECK_HPP

#include <atomic>
#include <cstdio>
#include <exception>
#include <string>

#include "failure.hpp"

namespace drsformer {

struct Checks {
    std::atomic<int> made{0};  // tests check from several threads
    std::atomic<int> failed{0};
};

inline Checks &checks() {
    static Checks counted;
    return counted;
}

inline bool check(bool right, const std::string &what, const char *file, int line) {
    ++checks().made;
    if (!right) {
        ++checks().failed;
        std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
    }
    return right;
}

// Calls work, which must throw a Failure of this status whose message is one line with this part.
template <typename Work>
void check_fails(const Work &work, drs_status status, const std::string &part, const char *text,
                 const char *file, int line) {
    std::string found = "nothing was thrown";
    try {
        work();
    } catch (const Failure &failure) {
        const std::string message = failure.what();
        const bool right = failure.status == status && message.find(part) != std::string::npos &&
                           message.find('\n') == std::string::npos;
        found = right ? "" : "status " + std::to_string(failure.status) + ": " + message;
    } catch (const std::exception &error) {
        found = std::string("another exception: ") + error.what();
    }
    check(found.empty(),
          std::string(text) + ": expected status " + std::to_string(status) + ", \"" + part +
              "\": " + found,
          file, line);
}

// Says how many checks were made; returns 1 if one of them failed, or none was made.
inline int checks_result() {
    std::printf("%d checks, %d failed\n", checks().made.load(), checks().failed.load());
    return checks().failed == 0 && checks().made > 0 ? 0 : 1;
}

}  // namespace drsformer

#define CHECK(...) \
    drsformer::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

#define CHECK_FAILS(expression, status, part)                                                     \
    drsformer::check_fails([&] { static_cast<void>(expression); }, (status), (part), #expression, \
                           __FILE__, __LINE__)

#endif  // DRSFORMER_TESTS_CHECK_HPP
