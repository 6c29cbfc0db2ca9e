// Any text as a model's contract: it is read or refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "contract.hpp"
#include "failure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
    try {
        drsformer::contract_from_json({reinterpret_cast<const char *>(data), size}, "fuzzed.onnx");
    } catch (const drsformer::Failure &) {
    }
    return 0;
}
