#include "double.hpp"

#include "backend.h"

namespace drsformer::tensorrt {
namespace {

Double &slot() {
    static Double one;
    return one;
}

// What is passed over: frees, since nobody could try again; graphs, without which a run is only
// slower; kernels, which are compiled again; and going back to the caller's device.
const std::set<std::string> silent = {
    "free_device",   "free_pinned",        "destroy_stream",    "destroy_event",  "destroy_graph",
    "begin_capture", "end_capture",        "instantiate_graph", "kernels",        "set_kernels",
    "get_device",    "destroy_launchable", "wait_for_event",    "set_device back"};

}  // namespace

bool Double::fails(const std::string &call) {
    calls.push_back(call);
    const bool failing = static_cast<int>(calls.size()) == fail_at;
    failed_in_passing = failed_in_passing || (failing && (freeing || captures > 0));
    return failing;
}

bool Double::failed_silently() const {
    return failed_in_passing || silent.count(calls[static_cast<std::size_t>(fail_at - 1)]) > 0;
}

bool Double::clean() const {
    for (const auto &[kind, count] : alive) {
        if (count != 0) return false;
    }
    return violations.empty() && memory.empty();
}

std::string Double::report() const {
    std::string text;
    for (const auto &[kind, count] : alive) {
        if (count != 0) text += kind + ": " + std::to_string(count) + " ";
    }
    for (const auto &violation : violations) text += violation + " ";
    return text;
}

Double &fake() {
    return slot();
}

Double &new_double() {
    slot() = Double();
    slot().tensors = {{"input", DRS_FLOAT32, true}, {"output", DRS_FLOAT32, false}};
    return slot();
}

void drain(FakeStream &stream) {
    auto pending = std::move(stream.pending);
    stream.pending.clear();
    for (const auto &work : pending) work();
}

}  // namespace drsformer::tensorrt
