// Fuzzes the reader of an engine's manifest: whatever the text is, it is read or refused.
#include "manifest.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "failure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    try {
        const auto manifest = drsformer::manifest_from_text(text, "fuzzed.json");
        const auto shape = manifest.profiles.at(0).min;
        if (drsformer::check_profile(manifest, shape, "fuzzed") != 0) __builtin_trap();
        drsformer::check_version(manifest, "10.3.0.26", "fuzzed");
        drsformer::check_platform(manifest, "linux-x86_64", "fuzzed");
        drsformer::check_gpu(manifest, "a GPU", "8.9", "fuzzed");
    } catch (const drsformer::Failure &) {
        return 0;  // one sentence
    }
    return 0;
}
