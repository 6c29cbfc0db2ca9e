/* What the library expects of a backend module, libdrsformer_NAME.so. Plain C, so that a module
 * and the library may be built by different compilers.
 *
 * A module exports one function, drs_backend_NAME, that returns a table of functions. The library
 * calls the functions of one model from one thread at a time, except `close`, which comes last. No
 * function may throw, print, or keep a pointer that it was given, unless it says so here.
 */
#ifndef DRSFORMER_BACKEND_H
#define DRSFORMER_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "drsformer/derainer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DRS_BACKEND_VERSION 1

/* The element types of a model's tensors. */
enum { DRS_FLOAT32 = 1, DRS_FLOAT16 = 2, DRS_UINT8 = 3, DRS_OTHER_TYPE = 0 };

/* How a model is run; the strings live as long as `open` lasts. */
typedef struct drs_backend_settings {
    const char *path;                /* of the model; the library has checked that it can be read */
    const char *provider;            /* the user's name of it: "cpu", "cuda", "openvino", ... */
    const char *onnxruntime_library; /* path of ONNX Runtime, for that backend; or NULL */
    const char *cache;               /* folder, or NULL */
    const char *manifest; /* of an engine: the text of its manifest, checked; else NULL */
    int32_t threads;      /* 0 for one per core */
    int32_t device;       /* CUDA ordinal; 0 on what does not run on CUDA */
    int32_t bf16;         /* 1 to compute in bfloat16 */
} drs_backend_settings;

/* An input or output of a model. A size is -1 where several are taken; least and most are those
 * of an engine's profiles, and 0 for models that have none. */
typedef struct drs_tensor_info {
    char name[64];
    int32_t dtype;
    int32_t rank; /* only the first four sizes are given */
    int64_t shape[4];
    int64_t least[4];
    int64_t most[4];
} drs_tensor_info;

typedef struct drs_backend_info {
    int32_t inputs; /* number of them; the first one is described */
    int32_t outputs;
    drs_tensor_info input;
    drs_tensor_info output;
    int32_t most_images;       /* in one run; 0 for any number */
    int32_t measures_memory;   /* 1 where runs take the memory of this computer */
    int64_t most_fixed_pixels; /* larger inputs are run in a way that takes less memory; 0: none */
    int32_t samples[2][2]; /* heights and widths whose mean memory a pixel is that of most sizes;
                              a pair of zeros is none */
} drs_backend_info;

/* Statuses are the library's. `error` is never NULL. With DRS_MODEL_ERROR the message is the
 * backend's own reason alone, without the file's name and without advice, or begins with "it has "
 * and ends with what to do; with any other status it is a whole sentence. */
typedef struct drs_backend {
    uint32_t version; /* DRS_BACKEND_VERSION */
    uint32_t reserved;
    const char *name;

    /* Opens a model; *model is the backend's own. Statuses: DRS_MODEL_ERROR for a file that is not
       a usable model, DRS_PROVIDER_ERROR, DRS_ENGINE_ERROR. */
    drs_status (*open)(const drs_backend_settings *settings, void **model, drs_error *error);

    /* Describes a model. */
    drs_status (*info)(void *model, drs_backend_info *info, drs_error *error);

    /* Looks up the file's metadata; NULL where there is none of that key. The text lives as long as
       the model. */
    const char *(*metadata)(void *model, const char *key);

    /* Does what comes before the first run of an input shape, and gives the buffers of that shape,
       which stay until the next `prepare`, `release` or `close`: input and output, in the file's
       types, of the same shape. Doing it again for the shape that is ready costs nothing. as_large
       says whether it is run as large inputs are; see most_fixed_pixels. */
    drs_status (*prepare)(void *model, const int64_t shape[4], int32_t as_large, void **input,
                          void **output, drs_error *error);

    /* Runs the network on the input buffer of the last `prepare`. */
    drs_status (*run)(void *model, drs_error *error);

    /* Gives back what is kept for shapes, also to the system. */
    void (*release)(void *model);

    /* Frees the model. */
    void (*close)(void *model);

    /* See drs_run_on_device; NULL where the backend runs no engines. */
    drs_status (*run_on_device)(void *model, const void *input, void *output,
                                const int64_t shape[4], void *stream, drs_error *error);
} drs_backend;

typedef const drs_backend *(*drs_backend_function)(void);

#ifdef __cplusplus
}
#endif

#endif /* DRSFORMER_BACKEND_H */
