// What goes wrong inside the library: a status for the program, and a sentence for the user.
#ifndef DRSFORMER_FAILURE_HPP
#define DRSFORMER_FAILURE_HPP

#include <stdexcept>
#include <string>

#include "drsformer/derainer.h"

namespace drsformer {

struct Failure : std::runtime_error {
    Failure(drs_status why, const std::string &message)
        : std::runtime_error(message), status(why) {}

    drs_status status;
};

}  // namespace drsformer

#endif  // DRSFORMER_FAILURE_HPP
