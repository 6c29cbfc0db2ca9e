#include "model.hpp"

#include <cstdio>

#include "failure.hpp"
#include "progress.hpp"

namespace drsformer::tool {
namespace {

drsformer::Options library_options(const Options &given) {
    drsformer::Options options;
    options.threads = given.threads;
    options.provider = given.provider;
    options.precision = given.precision;
    options.device = given.device;
    options.tile = given.tile;
    options.overlap = given.overlap;
    options.blend = given.blend;
    options.modules = given.modules;
    options.onnxruntime_library = given.onnxruntime_library;
    options.cache = given.cache;
    options.on_message = [](const std::string &sentence) {
        std::fprintf(stderr, "note: %s\n", sentence.c_str());
    };
    return options;
}

}  // namespace

Model::Model(const Options &given, Interrupts &interrupts)
    : interrupts_(interrupts), derainer_(given.model, library_options(given)) {
    interrupts_.stop_by([this] { derainer_.cancel(); });
}

Model::~Model() {
    interrupts_.stop_by(nullptr);
}

void Model::derain(const ImageView &image, const std::string &name) {
    interrupts_.check();
    Progress progress(name);
    const auto on_tile = [&](std::int32_t done, std::int32_t total) {
        progress.show(done, total);
        return interrupts_.number() == 0;  // it may have come just before the call
    };
    try {
        derainer_.derain(image, on_tile);
    } catch (const Error &error) {
        interrupts_.check();
        throw Failure(name + ": " + error.what());
    }
    interrupts_.check();
}

std::string Model::description() const {
    const drs_info info = derainer_.info();
    const std::string kind = info.is_engine != 0 ? "an engine" : "an ONNX file";
    return kind + " of " + info.dtype + " on " + info.provider;
}

std::string Model::timings() const {
    const drs_timings timings = derainer_.timings();
    const double outside = 1 - timings.backend_seconds / timings.total_seconds;
    char line[160];
    std::snprintf(line, sizeof(line),
                  "%.4f s, of which %.4f s in %d %s of the backend %s; %.2f %% outside",
                  timings.total_seconds, timings.backend_seconds, timings.runs,
                  timings.runs == 1 ? "run" : "runs", derainer_.info().provider, 100 * outside);
    return line;
}

}  // namespace drsformer::tool
