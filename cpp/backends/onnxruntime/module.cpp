// What libdrsformer_onnxruntime.so exports.
#include "model.hpp"
#include "module_table.hpp"

extern "C" __attribute__((visibility("default"))) const drs_backend *drs_backend_onnxruntime() {
    using Table = drsformer::backend::ModuleTable<drsformer::onnxruntime::Model>;
    static constexpr auto table = Table::table("onnxruntime");
    return &table;
}
