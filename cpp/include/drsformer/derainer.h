/* Turns rainy images into clean ones with a model of drs-export. Plain C, for every language.
 *
 *     drs_derainer *derainer = NULL;
 *     drs_error error = DRS_ERROR_INIT;
 *     if (drs_open("derain.onnx", NULL, &derainer, &error) != DRS_OK)
 *         return fail(error.message);
 *     drs_image photo = drs_image_of(pixels, width, height, DRS_RGB8);
 *     if (drs_derain(derainer, &photo, &photo, NULL, &error) != DRS_OK)
 *         return fail(error.message);
 *     drs_close(derainer);
 *
 * Threads    Every function may be called from any thread. Calls on one derainer or camera wait
 *            for each other; two derainers run side by side.
 * Ownership  The library never keeps a pointer to the caller's pixels after a call has returned,
 *            and never frees what it did not allocate. Strings are UTF-8 and end with a zero.
 * Failure    A function that can fail returns a status and, if `error` is not NULL, writes one
 *            sentence that says what is wrong, what was expected and what to do. The caller's
 *            pixels are then as they were; of a batch, earlier images may be done. The derainer can
 *            be used again. The library never ends the process and never prints.
 * Closed     A handle that was closed, or never was one, is an error and not a crash: handles are
 *            numbers that are never used twice.
 * Memory     drs_derain and a camera allocate nothing in this library while images of one size and
 *            format follow each other; what the backend allocates is its own affair.
 *
 * Structs begin with their size, so that later versions can add fields at the end. Fill them by
 * their _INIT macro, or set struct_size and zero the rest: zero always means the default. Only
 * drs_error may be zeroed as a whole.
 */
#ifndef DRSFORMER_DERAINER_H
#define DRSFORMER_DERAINER_H

#include <stddef.h>
#include <stdint.h>

#if defined(DRS_STATIC)
#define DRS_API
#elif defined(_WIN32)
#define DRS_API __declspec(dllimport)
#else
#define DRS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised only by a change that a program built before it would not survive. */
#define DRS_ABI_VERSION 1

/* The ABI version of the library that is loaded; compare it with DRS_ABI_VERSION. */
DRS_API uint32_t drs_abi_version(void);

/* The version of the library that is loaded, such as "1.2.3". */
DRS_API const char *drs_version(void);

/* ---- statuses and errors --------------------------------------------------------------------- */

typedef int32_t drs_status;

/* Each stands for a kind of trouble, whichever argument or file it came from: a thread count that
 * no provider takes is the provider's, an overlap that no tile has is the shape's. */
enum {
    DRS_OK = 0,
    DRS_INVALID_ARGUMENT = 1, /* a null pointer, an unknown number, a stride that is too small */
    DRS_MODEL_ERROR = 2,      /* the file is unreadable, damaged, or not one of drs-export's */
    DRS_PROVIDER_ERROR = 3,   /* the backend is unknown, not installed, or cannot start */
    DRS_SHAPE_ERROR = 4,      /* the image does not fit the model or the tiling */
    DRS_ENGINE_ERROR = 5,     /* an engine is damaged, of another GPU or version; CUDA failed */
    DRS_CLOSED = 6,           /* the handle was closed, or never was one */
    DRS_CANCELLED = 7,        /* drs_cancel was called, or on_tile asked for it */
    DRS_TIMED_OUT = 8,        /* drs_camera_wait: nothing was finished in time */
    DRS_OUT_OF_MEMORY = 9,    /* of this library; a backend's is an error of its own */
    DRS_INTERNAL_ERROR = 10   /* a mistake of this library: please report it */
};

typedef struct drs_error {
    uint32_t struct_size;
    drs_status status;
    char message[1024]; /* one line, cut short if it has to be; "" after success */
} drs_error;

#define DRS_ERROR_INIT {sizeof(drs_error), DRS_OK, ""}

/* ---- options --------------------------------------------------------------------------------- */

/* How tiles are joined. UNIFORM is the authors' rule: square tiles, averaged where they overlap.
 * FEATHER leaves no seams: tiles weigh less towards their edges, and need not be square. */
enum { DRS_BLEND_UNIFORM = 0, DRS_BLEND_FEATHER = 1 };
enum { DRS_TILE_AUTO = 0, DRS_TILE_WHOLE = -1 }; /* besides a number of pixels */

typedef struct drs_options {
    uint32_t struct_size;
    int32_t threads; /* of the backend, 1 to 1024; 0 for one per core */
    const char
        *provider;         /* "cpu", "cuda", "tensorrt", "openvino", "openvino_gpu", "tensorrt_rtx",
                              or NULL: "cpu" for an ONNX file, an engine's own library for an engine */
    const char *precision; /* "fp32", or "bf16" with "openvino"; NULL for "fp32" */
    int32_t device;  /* CUDA ordinal of the GPU; 0 for the first. Only for what runs on CUDA */
    int32_t tile;    /* longest side of a tile, pixels, a multiple of 8; or DRS_TILE_AUTO: whole
                        images if the model takes them and the free memory is enough, else
                        tiles; or DRS_TILE_WHOLE: whole images, whatever they take */
    int32_t overlap; /* pixels that neighbouring tiles share, below `tile`; 0 for 32, -1 for none */
    int32_t blend;   /* DRS_BLEND_... */
    const char *modules;             /* folder of the backend modules; NULL for the variable
                                        DRSFORMER_MODULES, else the library's own folder, else "drsformer"
                                        beside it */
    const char *onnxruntime_library; /* path of ONNX Runtime's library, libonnxruntime.so.1; NULL to
                            let the system find it. The other backends are linked to theirs */
    const char *cache; /* folder for what OpenVINO compiles, made if missing; NULL for none */
    /* Told once what a user should know, such as that images are cut into tiles; may be NULL. It is
       called from the thread of the call, or of the camera, and must be callable until the
       derainer and its cameras are closed and no call is under way. */
    void (*on_message)(void *user, const char *sentence);
    void *user; /* handed to on_message */
} drs_options;

#define DRS_OPTIONS_INIT                                            \
    {sizeof(drs_options), 0,    NULL, NULL, 0,    DRS_TILE_AUTO, 0, \
     DRS_BLEND_UNIFORM,   NULL, NULL, NULL, NULL, NULL}

/* ---- images ---------------------------------------------------------------------------------- */

enum {
    DRS_RGB8 = 1,
    DRS_BGR8 = 2,
    DRS_RGBA8 = 3, /* alpha is copied, never changed; where the source has none, it is opaque */
    DRS_BGRA8 = 4,
    DRS_GREY8 = 5, /* derained as three equal channels; the result is the luma of BT.601 */
    DRS_RGB16 = 6, /* uint16 samples in the machine's byte order, full range */
    DRS_BGR16 = 7,
    DRS_RGBA16 = 8,
    DRS_BGRA16 = 9,
    DRS_GREY16 = 10,
    DRS_YUYV = 11, /* 4:2:2, packed Y U Y V, 8 bits; the width is even */
    DRS_NV12 = 12  /* 4:2:0, a plane of Y and one of U V pairs, 8 bits; both sides are even */
};

/* How Y, U and V of a camera frame become RGB; ignored for other formats. */
enum { DRS_BT601 = 0, DRS_BT709 = 1, DRS_BT2020 = 2 };
enum { DRS_LIMITED_RANGE = 0, DRS_FULL_RANGE = 1 };

/* A view of the caller's pixels; it owns nothing. */
typedef struct drs_image {
    uint32_t struct_size;
    int32_t format; /* DRS_RGB8, ... */
    int32_t width;  /* pixels, at least 1 */
    int32_t height;
    void *data;           /* of the first row; 16-bit formats need an even address */
    size_t stride;        /* bytes from a row to the next; 0 for rows without a gap */
    void *chroma;         /* NV12's second plane; NULL where it follows the first */
    size_t chroma_stride; /* of that plane; 0 for the first one's */
    int32_t matrix;       /* DRS_BT601, ... */
    int32_t range;        /* DRS_LIMITED_RANGE, ... */
} drs_image;

/* A view of rows without gaps. */
static inline drs_image drs_image_of(void *data, int32_t width, int32_t height, int32_t format) {
    drs_image image = {sizeof(drs_image), format, width, height, data, 0, NULL, 0, 0, 0};
    return image;
}

/* ---- deraining ------------------------------------------------------------------------------- */

typedef struct drs_derainer drs_derainer;

/* What one call may be given besides the images. */
typedef struct drs_call {
    uint32_t struct_size;
    /* Called after each tile, from the calling thread, with the number done and the number in all;
       a whole image is one tile, and of a batch images are counted. A result other than 0 cancels
       the call. From here, only functions that do not wait may be called on the same derainer:
       drs_cancel, drs_get_info, drs_get_timings, drs_close; the others are refused. */
    int32_t (*on_tile)(void *user, int32_t done, int32_t total);
    void *user;
} drs_call;

#define DRS_CALL_INIT {sizeof(drs_call), NULL, NULL}

/* Opens a model: an ONNX file of `drs-export onnx` or `convert`, or an engine of `drs-export trt`.
 * The file is read again for new sizes: it must stay as it is. options may be NULL. On failure
 * *derainer is NULL. */
DRS_API drs_status drs_open(const char *path, const drs_options *options, drs_derainer **derainer,
                            drs_error *error);

/* Gives up a model. It is freed when the call that uses it has ended and its last camera is closed;
 * NULL and closed handles are ignored. */
DRS_API void drs_close(drs_derainer *derainer);

/* Derains one image.
 *
 * rainy   any format and any size from 1x1; a model exported with --io uint8 takes 8 bits only.
 * clean   where the result goes: of the same size and as many bits a sample, in any format. It
 *         may be the very same pixels (data, stride and format); otherwise the memory from the
 * first byte of one to its last must not overlap the other's. call    NULL for none. */
DRS_API drs_status drs_derain(drs_derainer *derainer, const drs_image *rainy,
                              const drs_image *clean, const drs_call *call, drs_error *error);

/* Derains several images; those of equal size share runs of the network. All are checked before
 * the first is derained. A result can differ from that of drs_derain by a level, where a rounding
 * or a tie in the network falls the other way. */
DRS_API drs_status drs_derain_batch(drs_derainer *derainer, const drs_image *rainy,
                                    const drs_image *clean, size_t count, const drs_call *call,
                                    drs_error *error);

/* Does what comes before the first image of a size, so that the first call is as fast as the next:
 * compiles, allocates, and runs the network once. */
DRS_API drs_status drs_warm_up(drs_derainer *derainer, int32_t width, int32_t height,
                               drs_error *error);

/* Makes the call that derains now in another thread, or the frame of a camera, end with
 * DRS_CANCELLED after its current tile. Calls that wait for their turn go on; where nothing derains
 * it does nothing. It does not wait. */
DRS_API drs_status drs_cancel(drs_derainer *derainer, drs_error *error);

/* ---- what a model is, and what it will do -----------------------------------------------------
 */

typedef struct drs_info {
    uint32_t struct_size;
    int32_t is_engine;    /* 1 for an engine, 0 for an ONNX file */
    int32_t takes_pixels; /* 1 where the model takes 8-bit pixels (--io uint8) */
    int32_t least_width;  /* of the inputs, pixels */
    int32_t least_height;
    int32_t most_width; /* 0 for any */
    int32_t most_height;
    int32_t most_images; /* in one run; 0 for any number */
    char provider[32];   /* the name of what runs it */
    char dtype[16];      /* of the model's input: "float32", "float16" or "uint8" */
} drs_info;

/* Does not wait for other calls. */
DRS_API drs_status drs_get_info(drs_derainer *derainer, drs_info *info, drs_error *error);

/* Why images of a size are cut, or are not. */
enum {
    DRS_WHOLE = 0,       /* they are not cut, or into one tile */
    DRS_TILES_ASKED = 1, /* by drs_options.tile */
    DRS_TILES_MODEL = 2, /* the model does not take images so large */
    DRS_TILES_MEMORY = 3 /* a whole image would take more memory than is free */
};

typedef struct drs_plan {
    uint32_t struct_size;
    int32_t reason;     /* DRS_WHOLE, ... */
    int32_t tile_width; /* of the network's input, pixels */
    int32_t tile_height;
    int32_t columns; /* number of tiles across, and down */
    int32_t rows;
} drs_plan;

/* Says how an image of a size would be derained now. It waits for other calls; for an image that
 * may not fit into the memory it runs the network on small inputs once, which takes seconds. */
DRS_API drs_status drs_get_plan(drs_derainer *derainer, int32_t width, int32_t height,
                                drs_plan *plan, drs_error *error);

/* Where the time of the last drs_derain, drs_derain_batch or frame of a camera went that has ended.
 * It does not wait. */
typedef struct drs_timings {
    uint32_t struct_size;
    int32_t runs; /* of the network */
    double total_seconds;
    double backend_seconds; /* of the total: inside the backend */
} drs_timings;

DRS_API drs_status drs_get_timings(drs_derainer *derainer, drs_timings *timings, drs_error *error);

/* ---- cameras: the newest frame wins -----------------------------------------------------------
 */

/* Derains frames in a thread of its own. A frame that is submitted while another one is derained
 * waits; if a newer one comes meanwhile, the waiting one is dropped. So frames never queue up,
 * whatever the camera's rate is. */
typedef struct drs_camera drs_camera;

typedef struct drs_camera_counts {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t submitted;
    uint64_t derained;
    uint64_t failed;        /* could not be derained; drs_camera_wait tells why */
    uint64_t dropped;       /* replaced by a newer frame before they were derained */
    uint64_t not_collected; /* derained or failed, and replaced by a newer result before
                               drs_camera_wait */
} drs_camera_counts; /* submitted = derained + failed + dropped + those under way, two at most */

/* Opens a camera on a derainer, which it shares with other callers. The derainer may be closed
 * first: the model is freed with its last camera. */
DRS_API drs_status drs_camera_open(drs_derainer *derainer, drs_camera **camera, drs_error *error);

/* Copies a frame and returns at once; number is the caller's own, given back with the result. */
DRS_API drs_status drs_camera_submit(drs_camera *camera, const drs_image *frame, uint64_t number,
                                     drs_error *error);

/* Waits for the newest result and writes it.
 *
 * clean          of the frame's size and bits, in any format: a YUYV frame can be had as DRS_RGB8.
 * number         gets the frame's, also that of a frame that failed; may be NULL.
 * timeout_ms     0 to only look, negative to wait without end.
 *
 * Returns DRS_TIMED_OUT where no result was ready in time, DRS_CLOSED where the camera is closed
 * meanwhile, and the error of a frame that could not be derained. */
DRS_API drs_status drs_camera_wait(drs_camera *camera, const drs_image *clean, uint64_t *number,
                                   int64_t timeout_ms, drs_error *error);

/* Waits until every frame that was submitted is derained, failed or dropped: the end of a
 * recording. The last result can then be had by drs_camera_wait. timeout_ms and statuses as there.
 */
DRS_API drs_status drs_camera_drain(drs_camera *camera, int64_t timeout_ms, drs_error *error);

/* Does not wait. */
DRS_API drs_status drs_camera_get_counts(drs_camera *camera, drs_camera_counts *counts,
                                         drs_error *error);

/* Ends waiting in other threads, drops the waiting frame, and waits until the thread has ended,
 * after the frame that it derains. From a callback it does not wait: the thread then ends by
 * itself. */
DRS_API void drs_camera_close(drs_camera *camera);

/* ---- tensors on the GPU -----------------------------------------------------------------------
 */

/* Queues one run of an engine on tensors that are on the GPU already, without a copy and without
 * waiting. Engines only.
 *
 * input, output  device pointers, in the engine's type and layout: float32 or float16
 *                (images, 3, height, width) in [0, 1], or uint8 (images, height, width, 3); sides
 *                are multiples of 8, addresses of 256 bytes. They must stay until the stream has
 *                come past the run.
 * stream         a cudaStream_t of the engine's device, which is not being captured. */
DRS_API drs_status drs_run_on_device(drs_derainer *derainer, const void *input, void *output,
                                     int32_t images, int32_t height, int32_t width, void *stream,
                                     drs_error *error);

#ifdef __cplusplus
}
#endif

#endif /* DRSFORMER_DERAINER_H */
