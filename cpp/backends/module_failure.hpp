// How a backend module fails: inside it exceptions, outside a status and one sentence.
#ifndef DRSFORMER_BACKENDS_MODULE_FAILURE_HPP
#define DRSFORMER_BACKENDS_MODULE_FAILURE_HPP

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "drsformer/derainer.h"
#include "error_text.hpp"

namespace drsformer::backend {

// A failure whose status and words are settled; a library's exceptions are not.
class Failure : public std::runtime_error {
  public:
    Failure(drs_status status, const std::string &message)
        : std::runtime_error(message), status_(status) {}

    drs_status status() const noexcept { return status_; }

  private:
    drs_status status_;
};

// Fills an error, without allocating, and returns its status.
inline drs_status write_error(drs_error *error, drs_status status,
                              std::string_view message) noexcept {
    const auto kept = cut(message, sizeof(error->message) - 1);
    std::memcpy(error->message, kept.data(), kept.size());
    error->message[kept.size()] = '\0';
    error->status = status;
    return status;
}

// Fills an error with the core of what a library said.
inline drs_status write_reason(drs_error *error, drs_status status, const char *message) noexcept {
    try {
        return write_error(error, status, reason_of(message));
    } catch (...) {  // no memory for shortening it
        return write_error(error, status, message);
    }
}

// Takes a step, and turns what it throws into an error; `status` is that of a library's failure.
template <typename Step>
drs_status guarded(drs_error *error, drs_status status, Step step) noexcept {
    try {
        step();
        return DRS_OK;
    } catch (const Failure &failure) {
        return write_error(error, failure.status(), failure.what());
    } catch (const std::bad_alloc &) {
        return write_error(error, DRS_OUT_OF_MEMORY, "no memory is left");
    } catch (const std::exception &exception) {
        return write_reason(error, status, exception.what());
    } catch (...) {
        return write_error(error, status, "it failed without a reason");
    }
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_MODULE_FAILURE_HPP
