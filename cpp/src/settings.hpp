// What a caller asked for, with every default filled in; the library's own copy.
#ifndef DRSFORMER_SETTINGS_HPP
#define DRSFORMER_SETTINGS_HPP

#include <string>

#include "drsformer/derainer.h"
#include "tiling.hpp"

namespace drsformer {

struct Settings {
    std::string provider;  // "" for the CPU, or for an engine's own library
    bool bf16 = false;
    int32_t threads = 0;
    int32_t device = 0;
    int32_t tile = DRS_TILE_AUTO;
    int32_t overlap = 32;
    Blend blend = Blend::uniform;
    std::string modules;              // "" for the usual places
    std::string onnxruntime_library;  // "" for none
    std::string cache;                // "" for none
    void (*on_message)(void *, const char *) = nullptr;
    void *user = nullptr;

    // Tells the caller something that a user should know.
    void say(const std::string &sentence) const {
        if (on_message) on_message(user, sentence.c_str());
    }
};

// Checks options that a caller gave, which may be null. Throws Failure.
Settings settings_of(const drs_options *options);

}  // namespace drsformer

#endif  // DRSFORMER_SETTINGS_HPP
