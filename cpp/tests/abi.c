/* Prints the size of each public struct, and the place of each field in it, as the C compiler has
 * them: what bindings of other languages must agree with. ctypes_derain.py compares itself. */
#include <stddef.h>
#include <stdio.h>

#include "drsformer/derainer.h"

#define SIZE(type) printf(#type " %zu\n", sizeof(type))
#define PLACE(type, field) \
    printf(#type "." #field " %zu %zu\n", offsetof(type, field), sizeof(((type *)0)->field))

static void print_error(void) {
    SIZE(drs_error);
    PLACE(drs_error, struct_size);
    PLACE(drs_error, status);
    PLACE(drs_error, message);
}

static void print_options(void) {
    SIZE(drs_options);
    PLACE(drs_options, struct_size);
    PLACE(drs_options, threads);
    PLACE(drs_options, provider);
    PLACE(drs_options, precision);
    PLACE(drs_options, device);
    PLACE(drs_options, tile);
    PLACE(drs_options, overlap);
    PLACE(drs_options, blend);
    PLACE(drs_options, modules);
    PLACE(drs_options, onnxruntime_library);
    PLACE(drs_options, cache);
    PLACE(drs_options, on_message);
    PLACE(drs_options, user);
}

static void print_image(void) {
    SIZE(drs_image);
    PLACE(drs_image, struct_size);
    PLACE(drs_image, format);
    PLACE(drs_image, width);
    PLACE(drs_image, height);
    PLACE(drs_image, data);
    PLACE(drs_image, stride);
    PLACE(drs_image, chroma);
    PLACE(drs_image, chroma_stride);
    PLACE(drs_image, matrix);
    PLACE(drs_image, range);
}

static void print_call(void) {
    SIZE(drs_call);
    PLACE(drs_call, struct_size);
    PLACE(drs_call, on_tile);
    PLACE(drs_call, user);
}

static void print_info(void) {
    SIZE(drs_info);
    PLACE(drs_info, struct_size);
    PLACE(drs_info, is_engine);
    PLACE(drs_info, takes_pixels);
    PLACE(drs_info, least_width);
    PLACE(drs_info, least_height);
    PLACE(drs_info, most_width);
    PLACE(drs_info, most_height);
    PLACE(drs_info, most_images);
    PLACE(drs_info, provider);
    PLACE(drs_info, dtype);
}

static void print_plan(void) {
    SIZE(drs_plan);
    PLACE(drs_plan, struct_size);
    PLACE(drs_plan, reason);
    PLACE(drs_plan, tile_width);
    PLACE(drs_plan, tile_height);
    PLACE(drs_plan, columns);
    PLACE(drs_plan, rows);
}

static void print_timings(void) {
    SIZE(drs_timings);
    PLACE(drs_timings, struct_size);
    PLACE(drs_timings, runs);
    PLACE(drs_timings, total_seconds);
    PLACE(drs_timings, backend_seconds);
}

static void print_camera_counts(void) {
    SIZE(drs_camera_counts);
    PLACE(drs_camera_counts, struct_size);
    PLACE(drs_camera_counts, reserved);
    PLACE(drs_camera_counts, submitted);
    PLACE(drs_camera_counts, derained);
    PLACE(drs_camera_counts, failed);
    PLACE(drs_camera_counts, dropped);
    PLACE(drs_camera_counts, not_collected);
}

int main(void) {
    print_error();
    print_options();
    print_image();
    print_call();
    print_info();
    print_plan();
    print_timings();
    print_camera_counts();
    return 0;
}
