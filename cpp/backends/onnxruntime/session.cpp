#include "session.hpp"

#include <optional>

#include "module_failure.hpp"

namespace drsformer::onnxruntime {
namespace {

using backend::Failure;
using backend::reason_of;

constexpr int fatal_only = 4;  // ONNX Runtime's log level: its errors are statuses too

Failure cannot_run(const Source &source, const OrtError &error, const std::string &remedy) {
    return {DRS_PROVIDER_ERROR, "provider '" + std::string(source.provider.name) + "' cannot run " +
                                    source.path + ": " + reason_of(error.what()) + "; " + remedy};
}

// Whether a provider failed, and not the file. ONNX Runtime says that it could not start a provider
// by the codes that it also uses for files, but of those it says "Load model from".
bool is_of_provider(const Provider &provider, const OrtError &error) {
    if (error.code() == ORT_EP_FAIL) return true;
    const auto general = error.code() == ORT_FAIL || error.code() == ORT_RUNTIME_EXCEPTION;
    return general && !provider.on_cpu &&
           std::string_view(error.what()).find("Load model from") == std::string_view::npos;
}

Failure failure_of(const Source &source, const OrtError &error) {
    if (error.code() == ORT_NOT_IMPLEMENTED) {
        return cannot_run(source, error,
                          "a bfloat16 file needs provider 'openvino', or convert with --fp16");
    }
    if (is_of_provider(source.provider, error)) {
        return cannot_run(source, error, "try provider 'cpu'");
    }
    return {DRS_MODEL_ERROR, backend::lost_weights(error.what()).value_or(reason_of(error.what()))};
}

}  // namespace

SessionOptions make_options(const Source &source, bool optimised) {
    const auto &library = source.ort;
    const auto &api = library.api();
    OrtSessionOptions *made = nullptr;
    library.check(api.CreateSessionOptions(&made));
    auto options = Library::own(made, api.ReleaseSessionOptions);
    if (!optimised) library.check(api.SetSessionGraphOptimizationLevel(made, ORT_DISABLE_ALL));
    library.check(api.SetSessionLogSeverityLevel(made, fatal_only));
    // By default an idle thread spins while it waits for the next operator. Our operators last far
    // longer than the wake-up that spinning saves, and spinning takes the cores from other work.
    library.check(api.AddSessionConfigEntry(made, "session.intra_op.allow_spinning", "0"));
    // With memory patterns the second run of a size allocates its whole plan at once, beside what
    // the first run holds.
    library.check(api.DisableMemPattern(made));
    if (source.threads > 0) library.check(api.SetIntraOpNumThreads(made, source.threads));
    return options;
}

Session open_session(const Source &source, OrtSessionOptions *options) {
    const auto &library = source.ort;
    const auto &api = library.api();
    try {
        append_provider(library, source.provider, source.device, options);
    } catch (const OrtError &error) {
        throw cannot_run(source, error, "try provider 'cpu'");
    }
    OrtSession *session = nullptr;
    try {
        library.check(
            api.CreateSession(library.environment(), source.path.c_str(), options, &session));
    } catch (const OrtError &error) {
        throw failure_of(source, error);
    }
    return Library::own(session, api.ReleaseSession);
}

}  // namespace drsformer::onnxruntime
