// The command line.
#ifndef DRSFORMER_TOOLS_OPTIONS_HPP
#define DRSFORMER_TOOLS_OPTIONS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drsformer/derainer.hpp"

namespace drsformer::tool {

// How raw frames lie in a pipe.
struct FrameLayout {
    std::int32_t width = 0;
    std::int32_t height = 0;
    std::int32_t format = DRS_RGB8;
    std::int32_t matrix = DRS_BT601;
    std::int32_t range = DRS_LIMITED_RANGE;
};

struct Options {
    std::string model;
    std::vector<std::string> inputs;
    std::string output;
    std::optional<FrameLayout> raw;

    std::int32_t tile = DRS_TILE_AUTO;
    std::int32_t overlap = 32;
    Blend blend = Blend::uniform;
    std::int32_t threads = 0;  // 0 for one per core
    std::int32_t device = 0;
    std::string provider;  // here and below: empty for the library's default
    std::string precision;
    std::string modules;
    std::string onnxruntime_library;
    std::string cache;

    bool timings = false;
    bool verbose = false;
    bool help = false;
    bool version = false;
};

// Reads the arguments, without the program's name; throws UsageError.
Options options_from(const std::vector<std::string> &arguments);

// What --help prints.
const char *help_text();

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_OPTIONS_HPP
