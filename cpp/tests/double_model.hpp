// Model files for the double of double_backend.cpp, and shorthands for the C functions.
#ifndef DRSFORMER_TESTS_DOUBLE_MODEL_HPP
#define DRSFORMER_TESTS_DOUBLE_MODEL_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "check.hpp"
#include "drsformer/derainer.h"
#include "temporary_folder.hpp"

namespace drsformer {

// Opens a double whose model file has these lines; null where that fails.
inline drs_derainer *open_double(const TemporaryFolder &folder, const std::string &lines,
                                 drs_options options = DRS_OPTIONS_INIT) {
    static int number = 0;
    const auto path = folder / ("model" + std::to_string(++number) + ".onnx");
    write_file(path, lines.empty() ? "dtype float32" : lines);
    drs_derainer *derainer = nullptr;
    drs_error error = DRS_ERROR_INIT;
    if (drs_open(path.c_str(), &options, &derainer, &error) != DRS_OK) {
        std::fprintf(stderr, "%s\n", error.message);
    }
    return derainer;
}

// Returns pixels that differ from each other.
inline std::vector<uint8_t> some_pixels(std::size_t count) {
    std::vector<uint8_t> pixels(count);
    uint32_t state = 1;
    for (uint8_t &pixel : pixels) {
        state = state * 1664525U + 1013904223U;
        pixel = static_cast<uint8_t>(state >> 24);
    }
    return pixels;
}

}  // namespace drsformer

#endif  // DRSFORMER_TESTS_DOUBLE_MODEL_HPP
