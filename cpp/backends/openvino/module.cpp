// What libdrsformer_openvino.so exports.
#include "model.hpp"
#include "module_table.hpp"

extern "C" __attribute__((visibility("default"))) const drs_backend *drs_backend_openvino() {
    using Table = drsformer::backend::ModuleTable<drsformer::openvino::Model>;
    static constexpr auto table = Table::table("openvino");
    return &table;
}
