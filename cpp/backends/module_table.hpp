// Makes the table of functions that a module exports from a class Model, whose functions may throw.
//
// Model has a constructor from drs_backend_settings, info(), metadata(key), prepare(shape,
// as_large), which returns an object with input.data() and output.data(), run() and release().
#ifndef DRSFORMER_BACKENDS_MODULE_TABLE_HPP
#define DRSFORMER_BACKENDS_MODULE_TABLE_HPP

#include <algorithm>
#include <memory>

#include "backend.h"
#include "module_failure.hpp"
#include "shape.hpp"

namespace drsformer::backend {

template <typename Model>
struct ModuleTable {
    static Model &of(void *model) noexcept { return *static_cast<Model *>(model); }

    static drs_status open(const drs_backend_settings *settings, void **model, drs_error *error) {
        *model = nullptr;
        return guarded(error, DRS_MODEL_ERROR,
                       [&] { *model = std::make_unique<Model>(*settings).release(); });
    }

    static drs_status info(void *model, drs_backend_info *info, drs_error *error) {
        return guarded(error, DRS_INTERNAL_ERROR, [&] { *info = of(model).info(); });
    }

    static const char *metadata(void *model, const char *key) {
        try {
            return of(model).metadata(key);
        } catch (...) {  // no memory for looking it up
            return nullptr;
        }
    }

    static drs_status prepare(void *model, const int64_t shape[4], int32_t as_large, void **input,
                              void **output, drs_error *error) {
        return guarded(error, DRS_MODEL_ERROR, [&] {
            Shape wanted;
            std::copy_n(shape, wanted.size(), wanted.begin());
            const auto &prepared = of(model).prepare(wanted, as_large != 0);
            *input = prepared.input.data();
            *output = prepared.output.data();
        });
    }

    static drs_status run(void *model, drs_error *error) {
        return guarded(error, DRS_MODEL_ERROR, [&] { of(model).run(); });
    }

    static void release(void *model) { of(model).release(); }

    static void close(void *model) { const std::unique_ptr<Model> owner(&of(model)); }

    static constexpr drs_backend table(const char *name) noexcept {
        return {DRS_BACKEND_VERSION,
                0,
                name,
                open,
                info,
                metadata,
                prepare,
                run,
                release,
                close,
                nullptr};
    }
};

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_MODULE_TABLE_HPP
