// What ends the work on one file, or the whole run: one sentence for the user.
#ifndef DRSFORMER_TOOLS_FAILURE_HPP
#define DRSFORMER_TOOLS_FAILURE_HPP

#include <stdexcept>
#include <string>

namespace drsformer::tool {

// An error of input: what it is, what was expected and what to do. The exit code is 1.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A mistake in the command line. The exit code is 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// The user pressed Ctrl-C, or the process was asked to end.
class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted; no file was left half-written") {}
};

// Whoever read the output has closed it, which is no error of ours.
class OutputClosed : public std::runtime_error {
  public:
    OutputClosed() : std::runtime_error("the reader of the output has closed it") {}
};

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_FAILURE_HPP
