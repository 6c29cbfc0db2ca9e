// Once a size is known, a call allocates nothing in the library; the double's buffers stay, too.
#include <atomic>
#include <cstdlib>
#include <new>

#include "double_model.hpp"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

// The library's own calls of operator new come here as well.
void *operator new(std::size_t size) {
    ++allocations;
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept {
    std::free(memory);
}

void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}

using namespace drsformer;

namespace {

// Returns the allocations of ten calls after the first one.
int64_t allocations_of(drs_derainer *derainer, const drs_image &rainy, const drs_image &clean) {
    CHECK(drs_derain(derainer, &rainy, &clean, nullptr, nullptr) == DRS_OK);
    const int64_t before = allocations;
    drs_error error = DRS_ERROR_INIT;
    for (int i = 0; i < 10; ++i) drs_derain(derainer, &rainy, &clean, nullptr, &error);
    return allocations - before;
}

int64_t allocations_of_camera(drs_derainer *derainer, const drs_image &frame) {
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    int right = 0;
    const auto one_frame = [&] {
        drs_camera_submit(camera, &frame, 0, nullptr);
        if (drs_camera_wait(camera, &frame, nullptr, 10000, nullptr) == DRS_OK) ++right;
    };
    for (int i = 0; i < 5; ++i) one_frame();  // every slot has its memory
    const int64_t before = allocations;
    for (int i = 0; i < 10; ++i) one_frame();
    const int64_t made = allocations - before;
    CHECK(right == 15);
    drs_camera_close(camera);
    return made;
}

}  // namespace

int main() {
    const TemporaryFolder folder;
    auto pixels = some_pixels(64 * 48 * 8);
    auto result = pixels;
    for (const char *lines :
         {"dtype float32", "dtype float16", "dtype uint8", "height 16\nwidth 16", "images 2"}) {
        for (const int32_t tile : {DRS_TILE_AUTO + 0, 16}) {
            drs_options options = DRS_OPTIONS_INIT;
            options.tile = tile;
            options.overlap = 4;
            drs_derainer *derainer = open_double(folder, lines, options);
            for (const int32_t format : {DRS_RGB8, DRS_BGRA8, DRS_GREY8, DRS_YUYV, DRS_NV12}) {
                const drs_image rainy = drs_image_of(pixels.data(), 64, 48, format);
                const drs_image clean = drs_image_of(result.data(), 64, 48, format);
                CHECK(allocations_of(derainer, rainy, clean) == 0);
                CHECK(allocations_of(derainer, rainy, rainy) == 0);
            }
            drs_close(derainer);
        }
    }
    drs_derainer *derainer = open_double(folder, "dtype float32");
    CHECK(drs_warm_up(derainer, 64, 48, nullptr) == DRS_OK);
    const drs_image deep = drs_image_of(pixels.data(), 64, 48, DRS_RGB16);
    const int64_t before = allocations;
    const drs_status status = drs_derain(derainer, &deep, &deep, nullptr, nullptr);
    const int64_t made = allocations - before;  // a check allocates its text
    CHECK(status == DRS_OK && made == 0);       // warming up has done it all
    CHECK(allocations_of_camera(derainer, drs_image_of(pixels.data(), 64, 48, DRS_NV12)) == 0);
    drs_close(derainer);
    CHECK(allocations > 0);  // they are counted at all
    return checks_result();
}
