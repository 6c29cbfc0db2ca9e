#include "settings.hpp"

#include <algorithm>
#include <cstring>

#include "failure.hpp"
#include "struct_sizes.hpp"

namespace drsformer {
namespace {

constexpr int32_t most_threads = 1024;  // a mistyped number would take minutes to start its threads

std::string text(const char *given) {
    return given ? given : "";
}

[[noreturn]] void refuse(drs_status status, const std::string &message) {
    throw Failure(status, message);
}

void check_numbers(const drs_options &given) {
    if (given.threads < 0 || given.threads > most_threads) {
        refuse(DRS_PROVIDER_ERROR, "threads is " + std::to_string(given.threads) +
                                       "; expected 1 to 1024, or 0 for one per core");
    }
    if (given.device < 0) {
        refuse(DRS_PROVIDER_ERROR, "device is " + std::to_string(given.device) +
                                       "; expected a CUDA ordinal, 0 or more");
    }
    if (given.overlap < -1) {
        refuse(DRS_SHAPE_ERROR, "overlap is " + std::to_string(given.overlap) +
                                    " pixels; expected 0 for 32, -1 for none, or a number above 0");
    }
    if (given.blend != DRS_BLEND_UNIFORM && given.blend != DRS_BLEND_FEATHER) {
        refuse(DRS_SHAPE_ERROR, "blend is " + std::to_string(given.blend) +
                                    "; expected DRS_BLEND_UNIFORM or DRS_BLEND_FEATHER");
    }
}

bool is_bf16(const drs_options &given) {
    const std::string precision = text(given.precision);
    if (!precision.empty() && precision != "fp32" && precision != "bf16") {
        refuse(DRS_PROVIDER_ERROR, "precision is '" + precision + "'; expected fp32 or bf16");
    }
    return precision == "bf16";
}

}  // namespace

Settings settings_of(const drs_options *options) {
    Settings settings;
    if (!options) return settings;
    if (options->struct_size < first_size<drs_options>) {
        refuse(DRS_INVALID_ARGUMENT,
               "the options have struct_size " + std::to_string(options->struct_size) +
                   "; expected sizeof(drs_options), as DRS_OPTIONS_INIT sets it");
    }
    check_numbers(*options);
    settings.provider = text(options->provider);
    settings.bf16 = is_bf16(*options);
    settings.threads = options->threads;
    settings.device = options->device;
    settings.tile = options->tile;
    settings.overlap = options->overlap == 0 ? 32 : std::max(options->overlap, 0);
    settings.blend = options->blend == DRS_BLEND_FEATHER ? Blend::feather : Blend::uniform;
    settings.modules = text(options->modules);
    settings.onnxruntime_library = text(options->onnxruntime_library);
    settings.cache = text(options->cache);
    settings.on_message = options->on_message;
    settings.user = options->user;
    if (settings.tile != DRS_TILE_AUTO && settings.tile != DRS_TILE_WHOLE) {
        check_tiling({settings.tile, settings.overlap, settings.blend});
    }
    return settings;
}

}  // namespace drsformer
