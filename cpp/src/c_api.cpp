// The functions of drsformer/derainer.h: finds what a handle stands for, checks what it was given,
// and turns every exception into a status and a sentence.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "camera.hpp"
#include "drsformer/derainer.h"
#include "failure.hpp"
#include "handles.hpp"
#include "one_line.hpp"
#include "pixels.hpp"
#include "runtime.hpp"
#include "settings.hpp"
#include "struct_sizes.hpp"
#include "version.hpp"

using namespace drsformer;

namespace {

using Derainers = Handles<drs_derainer, Runtime>;
using Cameras = Handles<drs_camera, CameraThread>;

// Never destroyed: another thread may still use a handle while the process ends.
Derainers &derainers() {
    static auto *const all = new Derainers("derainer");
    return *all;
}

Cameras &cameras() {
    static auto *const all = new Cameras("camera");
    return *all;
}

// Writes an error, in as much room as its caller has, without allocating.
drs_status write(drs_error *error, drs_status status, const char *message) noexcept {
    constexpr std::size_t before = offsetof(drs_error, message);
    if (!error) return status;
    // one that was zeroed as a whole has the size of the first version
    const std::size_t size = error->struct_size ? error->struct_size : sizeof *error;
    if (size <= before) return status;
    const std::size_t room = std::min(size, sizeof *error) - before - 1;
    std::size_t length = std::min(std::strlen(message), room);
    // not in the middle of a character: its later bytes begin with the bits 10
    while (length > 0 && message[length] != '\0' && (message[length] & 0xC0) == 0x80) --length;
    std::memcpy(error->message, message, length);
    error->message[length] = '\0';
    error->status = status;
    return status;
}

template <typename Step>
drs_status guarded(drs_error *error, Step step) noexcept {
    try {
        step();
        return write(error, DRS_OK, "");
    } catch (const Failure &failure) {
        return write(error, failure.status, failure.what());
    } catch (const std::bad_alloc &) {
        return write(error, DRS_OUT_OF_MEMORY, "no memory is left; use tiles, or smaller ones");
    } catch (const std::exception &exception) {
        return write(error, DRS_INTERNAL_ERROR, exception.what());
    } catch (...) {
        return write(error, DRS_INTERNAL_ERROR, "an unknown exception; please report it");
    }
}

[[noreturn]] void refuse(const std::string &message) {
    throw Failure(DRS_INVALID_ARGUMENT, message);
}

void check_pointer(const void *pointer, const char *name) {
    if (!pointer) refuse(std::string(name) + " is a null pointer");
}

template <typename Struct>
void check_struct(const Struct *given, const char *name) {
    if (given->struct_size < first_size<Struct>) {
        refuse(std::string(name) + " has struct_size " + std::to_string(given->struct_size) +
               "; expected its sizeof");
    }
}

template <typename Struct>
void clear(Struct *out, const char *name) {
    check_pointer(out, name);
    check_struct(out, name);
    const uint32_t size = out->struct_size;
    std::memset(static_cast<void *>(out), 0, std::min<std::size_t>(size, sizeof(Struct)));
    out->struct_size = size;
}

void check_call(const drs_call *call) {
    if (call) check_struct(call, "call");
}

Size size_of(int32_t height, int32_t width) {
    if (height < 1 || width < 1 || height > longest_side || width > longest_side) {
        throw Failure(DRS_SHAPE_ERROR, "a size is " + std::to_string(width) + "x" +
                                           std::to_string(height) + "; expected sides of 1 to " +
                                           std::to_string(longest_side) + " pixels");
    }
    return {height, width};
}

// Returns checked views of an array, whose elements are as large as the caller's version has them.
std::vector<View> views_of(const drs_image *images, std::size_t count, const char *name) {
    check_pointer(images, name);
    const auto *bytes = reinterpret_cast<const unsigned char *>(images);
    std::vector<View> views;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string what = std::string(name) + " image " + std::to_string(i + 1);
        views.push_back(view_of(
            reinterpret_cast<const drs_image *>(bytes + i * images->struct_size), what.c_str()));
    }
    return views;
}

// Checks that no result lies over another image's pixels.
void check_apart(const std::vector<View> &rainy, const std::vector<View> &clean) {
    for (std::size_t i = 0; i < rainy.size(); ++i) {
        check_pair(rainy[i], clean[i]);
        for (std::size_t j = 0; j < rainy.size(); ++j) {
            if (i == j || (!overlap(clean[i], rainy[j]) && !overlap(clean[i], clean[j]))) continue;
            refuse("the buffer of clean image " + std::to_string(i + 1) + " overlaps image " +
                   std::to_string(j + 1) + "; expected a buffer for each");
        }
    }
}

}  // namespace

extern "C" {

uint32_t drs_abi_version(void) {
    return DRS_ABI_VERSION;
}

const char *drs_version(void) {
    return DRSFORMER_VERSION;
}

drs_status drs_open(const char *path, const drs_options *options, drs_derainer **derainer,
                    drs_error *error) {
    return guarded(error, [&] {
        check_pointer(derainer, "derainer");
        *derainer = nullptr;
        check_pointer(path, "path");
        if (!*path) refuse("path is empty; expected the name of a model");
        *derainer = derainers().add(std::make_shared<Runtime>(path, settings_of(options)));
    });
}

void drs_close(drs_derainer *derainer) {
    guarded(nullptr, [&] { derainers().remove(derainer); });
}

drs_status drs_derain(drs_derainer *derainer, const drs_image *rainy, const drs_image *clean,
                      const drs_call *call, drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        const View from = view_of(rainy, "the rainy image");
        const View to = view_of(clean, "the clean image");
        check_pair(from, to);
        check_call(call);
        runtime->derain(from, to, call);
    });
}

drs_status drs_derain_batch(drs_derainer *derainer, const drs_image *rainy, const drs_image *clean,
                            size_t count, const drs_call *call, drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        check_call(call);
        if (count == 0) return;
        const std::vector<View> from = views_of(rainy, count, "rainy");
        const std::vector<View> to = views_of(clean, count, "clean");
        check_apart(from, to);
        runtime->derain_batch(from, to, call);
    });
}

drs_status drs_warm_up(drs_derainer *derainer, int32_t width, int32_t height, drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        runtime->warm_up(size_of(height, width));
    });
}

drs_status drs_cancel(drs_derainer *derainer, drs_error *error) {
    return guarded(error, [&] { derainers().get(derainer)->cancel(); });
}

drs_status drs_get_info(drs_derainer *derainer, drs_info *info, drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        clear(info, "info");
        runtime->fill_info(*info);
    });
}

drs_status drs_get_plan(drs_derainer *derainer, int32_t width, int32_t height, drs_plan *plan,
                        drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        clear(plan, "plan");
        runtime->fill_plan(size_of(height, width), *plan);
    });
}

drs_status drs_get_timings(drs_derainer *derainer, drs_timings *timings, drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        clear(timings, "timings");
        runtime->fill_timings(*timings);
    });
}

drs_status drs_camera_open(drs_derainer *derainer, drs_camera **camera, drs_error *error) {
    return guarded(error, [&] {
        check_pointer(camera, "camera");
        *camera = nullptr;
        *camera = cameras().add(CameraThread::begun(derainers().get(derainer)));
    });
}

drs_status drs_camera_submit(drs_camera *camera, const drs_image *frame, uint64_t number,
                             drs_error *error) {
    return guarded(error, [&] {
        const auto opened = cameras().get(camera);
        opened->submit(view_of(frame, "the frame"), number);
    });
}

drs_status drs_camera_wait(drs_camera *camera, const drs_image *clean, uint64_t *number,
                           int64_t timeout_ms, drs_error *error) {
    return guarded(error, [&] {
        const auto opened = cameras().get(camera);
        opened->wait(view_of(clean, "the clean image"), number, timeout_ms);
    });
}

drs_status drs_camera_drain(drs_camera *camera, int64_t timeout_ms, drs_error *error) {
    return guarded(error, [&] { cameras().get(camera)->drain(timeout_ms); });
}

drs_status drs_camera_get_counts(drs_camera *camera, drs_camera_counts *counts, drs_error *error) {
    return guarded(error, [&] {
        const auto opened = cameras().get(camera);
        clear(counts, "counts");
        opened->fill_counts(*counts);
    });
}

void drs_camera_close(drs_camera *camera) {
    guarded(nullptr, [&] {
        const auto opened = cameras().remove(camera);
        if (opened) opened->close();
    });
}

drs_status drs_run_on_device(drs_derainer *derainer, const void *input, void *output,
                             int32_t images, int32_t height, int32_t width, void *stream,
                             drs_error *error) {
    return guarded(error, [&] {
        const auto runtime = derainers().get(derainer);
        check_pointer(input, "input");
        check_pointer(output, "output");
        if (images < 1) refuse("images is " + std::to_string(images) + "; expected at least 1");
        runtime->run_on_device(input, output, images, size_of(height, width), stream);
    });
}

}  // extern "C"
