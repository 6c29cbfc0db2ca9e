// Several threads on one derainer: calls wait for each other, closing waits for them, and every
// result is right. To be run under the thread sanitizer.
#include <atomic>
#include <chrono>
#include <thread>

#include "double_model.hpp"
#include "drsformer/derainer.hpp"

using namespace drsformer;

namespace {

void test_shared_derainer(const TemporaryFolder &folder) {
    write_file(folder / "shared.onnx", "dtype float32");
    Derainer derainer((folder / "shared.onnx").string());
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int32_t side = 8; side < 16; ++side) {
        threads.emplace_back([&, side] {
            const auto before = some_pixels(static_cast<std::size_t>(side * side * 3));
            for (int i = 0; i < 20; ++i) {
                auto after = before;
                derainer.derain({after.data(), side, side, DRS_RGB8});
                bool inverted = true;
                for (std::size_t k = 0; k < after.size(); ++k) {
                    inverted = inverted && after[k] == 255 - before[k];
                }
                right += inverted ? 1 : 0;
                static_cast<void>(derainer.timings());
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    CHECK(right == 8 * 20);
}

void test_closing_while_it_is_used(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "sleep_ms 50");
    auto pixels = some_pixels(8 * 8 * 3);
    const drs_image image = drs_image_of(pixels.data(), 8, 8, DRS_RGB8);
    std::atomic<bool> begun{false};
    std::thread user([&] {
        begun = true;
        drs_status status = DRS_OK;
        while (status == DRS_OK) status = drs_derain(derainer, &image, &image, nullptr, nullptr);
        CHECK(status == DRS_CLOSED);
    });
    while (!begun) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    drs_close(derainer);
    user.join();
}

void test_cancel_from_another_thread(const TemporaryFolder &folder) {
    drs_options options = DRS_OPTIONS_INIT;
    options.tile = 8;
    options.overlap = -1;
    drs_derainer *derainer = open_double(folder, "sleep_ms 20", options);
    auto pixels = some_pixels(64 * 64 * 3);
    const drs_image image = drs_image_of(pixels.data(), 64, 64, DRS_RGB8);
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        CHECK(drs_cancel(derainer, nullptr) == DRS_OK);
    });
    CHECK(drs_derain(derainer, &image, &image, nullptr, nullptr) == DRS_CANCELLED);
    canceller.join();
    const drs_image small = drs_image_of(pixels.data(), 8, 8, DRS_RGB8);
    CHECK(drs_derain(derainer, &small, &small, nullptr, nullptr) == DRS_OK);  // only that call
    drs_close(derainer);
}

struct Inside {
    drs_derainer *derainer;
    drs_status status;
};

int32_t call_again(void *user, int32_t, int32_t) {
    auto &inside = *static_cast<Inside *>(user);
    inside.status = drs_warm_up(inside.derainer, 8, 8, nullptr);
    drs_timings timings = {};
    timings.struct_size = sizeof timings;
    CHECK(drs_get_timings(inside.derainer, &timings, nullptr) == DRS_OK);
    return 0;
}

void test_a_call_from_on_tile_is_refused(const TemporaryFolder &folder) {
    Inside inside = {open_double(folder, ""), DRS_OK};
    auto pixels = some_pixels(8 * 8 * 3);
    const drs_image image = drs_image_of(pixels.data(), 8, 8, DRS_RGB8);
    const drs_call call = {sizeof(drs_call), call_again, &inside};
    CHECK(drs_derain(inside.derainer, &image, &image, &call, nullptr) == DRS_OK);
    CHECK(inside.status == DRS_INVALID_ARGUMENT);
    drs_close(inside.derainer);
}

void test_exceptions_of_on_tile_come_out(const TemporaryFolder &folder) {
    write_file(folder / "throws.onnx", "dtype float32");
    Derainer derainer((folder / "throws.onnx").string());
    auto pixels = some_pixels(8 * 8 * 3);
    const ImageView view(pixels.data(), 8, 8, DRS_RGB8);
    try {
        derainer.derain(view, [](int32_t, int32_t) -> bool { throw std::logic_error("mine"); });
        CHECK(false);
    } catch (const std::logic_error &error) {
        CHECK(std::string(error.what()) == "mine");
    }
    try {
        derainer.derain(view, [](int32_t, int32_t) { return false; });
        CHECK(false);
    } catch (const Error &error) {
        CHECK(error.status() == DRS_CANCELLED);
    }
}

}  // namespace

int main() {
    const TemporaryFolder folder;
    test_shared_derainer(folder);
    test_closing_while_it_is_used(folder);
    test_cancel_from_another_thread(folder);
    test_a_call_from_on_tile_is_refused(folder);
    test_exceptions_of_on_tile_come_out(folder);
    return checks_result();
}
