// A GPU without a GPU: CUDA, and a library whose engines give their input back.
//
// Every call that can fail is counted, and the one with the number fail_at fails. What is made is
// counted until it is freed. Streams do their work when they are waited for, as late as a GPU
// might; memory is the heap's, so that the address sanitizer sees what is used too late.
#ifndef DRSFORMER_TESTS_TENSORRT_DOUBLE_HPP
#define DRSFORMER_TESTS_TENSORRT_DOUBLE_HPP

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "library.hpp"

namespace drsformer::tensorrt {

constexpr int success = 0;
constexpr int out_of_memory = 2;
constexpr int unknown_error = 999;

using Work = std::function<void()>;

struct FakeStream {
    std::vector<Work> pending;
    std::vector<Work> recorded;
    bool capturing = false;
};

struct FakeEvent {
    FakeStream *stream = nullptr;  // where it was recorded last
};

// Everything about the double that a test sets or looks at.
struct Double {
    int fail_at = 0;  // number of the call that fails, from 1 on; 0 for none
    int status = unknown_error;
    std::vector<std::string> calls;
    bool freeing = false;            // whether the test is in a step that gives no error
    bool failed_in_passing = false;  // in such a step, or while a graph was recorded
    std::map<std::string, int> alive;
    std::vector<std::string> violations;  // of an order that the library needs
    std::set<void *> memory;              // that is allocated
    std::set<int> devices;                // that anything was made or run on
    int device_count = 2;
    int current_device = 1;  // what the caller of the module has chosen
    int captures = 0;        // that are under way
    int launches = 0;        // of graphs

    std::string name = "tensorrt";
    std::string version = "10.7.0";
    std::string kernels;      // that the library gives out
    std::string set_kernels;  // that it was given
    bool can_refit = true;
    bool host_code = false;
    std::string refitted;  // path of the ONNX file
    std::vector<EngineTensor> tensors;

    // Counts a call; whether it is the one that fails.
    bool fails(const std::string &call);

    // Whether the call that failed is one that the module gets over without a word.
    bool failed_silently() const;

    // Whether nothing is alive and no order was violated.
    bool clean() const;

    // Returns what is alive and what was violated.
    std::string report() const;
};

// Returns the double in use.
Double &fake();

// Puts a new double in place.
Double &new_double();

// Does what is pending on a stream.
void drain(FakeStream &stream);

}  // namespace drsformer::tensorrt

#endif  // DRSFORMER_TESTS_TENSORRT_DOUBLE_HPP
