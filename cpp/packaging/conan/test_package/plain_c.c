/* The library is there, of the header's version, and so is its backend: what is no model is refused
 * by the backend, or for want of the backend's own library, and not for want of the module. */
#include <drsformer/derainer.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    drs_derainer *derainer = NULL;
    drs_error error = DRS_ERROR_INIT;
    drs_options options = DRS_OPTIONS_INIT;
    FILE *file = fopen("no_model.onnx", "wb");
    if (count != 2 || file == NULL || fputs("no model", file) < 0 || fclose(file) != 0) return 2;
    options.provider = arguments[1];
    drs_status status = drs_open("no_model.onnx", &options, &derainer, &error);
    printf("drsformer %s: %s\n", drs_version(), error.message);
    return drs_abi_version() != DRS_ABI_VERSION || status == DRS_OK ||
           strstr(error.message, "the module libdrsformer") != NULL;
}
