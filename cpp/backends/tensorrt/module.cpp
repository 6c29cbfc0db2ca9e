// Model as C functions, out of which no exception comes. Messages are whole sentences: only here it
// is known which GPU they are about.
#include "module.hpp"

#include <new>

#include "failure.hpp"
#include "model.hpp"
#include "module_failure.hpp"

namespace drsformer::tensorrt {
namespace {

Model &of(void *model) {
    return *static_cast<Model *>(model);
}

InputShape shape_of(const std::int64_t *sizes) {
    return {sizes[0], sizes[1], sizes[2], sizes[3]};
}

template <typename Work>
drs_status guarded(drs_error *error, const Work &work) noexcept {
    using backend::write_error;
    try {
        work();
        return DRS_OK;
    } catch (const Failure &failure) {
        return write_error(error, failure.status, failure.what());
    } catch (const backend::Failure &failure) {
        return write_error(error, failure.status(), failure.what());
    } catch (const std::bad_alloc &) {
        return write_error(error, DRS_OUT_OF_MEMORY, "no memory is left; free some and try again");
    } catch (const std::exception &exception) {
        return write_error(error, DRS_INTERNAL_ERROR, exception.what());
    } catch (...) {
        return write_error(error, DRS_INTERNAL_ERROR, "it failed without a reason");
    }
}

drs_status open(const drs_backend_settings *settings, void **model, drs_error *error) {
    *model = nullptr;
    return guarded(error, [&] {
        auto made = std::make_unique<Model>(*settings);
        made->load();
        *model = made.release();
    });
}

drs_status info(void *model, drs_backend_info *info, drs_error *error) {
    return guarded(error, [&] { *info = of(model).info(); });
}

const char *metadata(void *model, const char *key) {
    return of(model).metadata(key);
}

drs_status prepare(void *model, const std::int64_t shape[4], std::int32_t /*as_large*/,
                   void **input, void **output, drs_error *error) {
    return guarded(error, [&] {
        const auto &execution = of(model).prepare(shape_of(shape));
        *input = execution.input();
        *output = execution.output();
    });
}

drs_status run(void *model, drs_error *error) {
    return guarded(error, [&] { of(model).run(); });
}

void release(void *model) {
    of(model).release();
}

void close(void *model) {
    const std::unique_ptr<Model> owner(&of(model));
}

drs_status run_on_device(void *model, const void *input, void *output, const std::int64_t shape[4],
                         void *stream, drs_error *error) {
    return guarded(error, [&] { of(model).run_on_device(input, output, shape_of(shape), stream); });
}

}  // namespace

const drs_backend *table() {
    static const drs_backend functions = {DRS_BACKEND_VERSION,
                                          0,
                                          library().name(),
                                          open,
                                          info,
                                          metadata,
                                          prepare,
                                          run,
                                          release,
                                          close,
                                          run_on_device};
    return &functions;
}

}  // namespace drsformer::tensorrt
