// The camera: the newest frame wins, nothing waits for ever, errors arrive.
#include <chrono>
#include <memory>
#include <thread>

#include "double_model.hpp"
#include "drsformer/derainer.hpp"

using namespace drsformer;

namespace {

drs_camera_counts counts_of(drs_camera *camera) {
    drs_camera_counts counts = {};
    counts.struct_size = sizeof counts;
    CHECK(drs_camera_get_counts(camera, &counts, nullptr) == DRS_OK);
    return counts;
}

void test_newest_wins(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "sleep_ms 100");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    std::vector<uint8_t> frame(16 * 16 * 3);
    const drs_image image = drs_image_of(frame.data(), 16, 16, DRS_RGB8);
    for (uint64_t number = 0; number < 20; ++number) {
        frame.assign(frame.size(), static_cast<uint8_t>(number));
        CHECK(drs_camera_submit(camera, &image, number, nullptr) == DRS_OK);
    }
    std::vector<uint8_t> result(frame.size());
    const drs_image clean = drs_image_of(result.data(), 16, 16, DRS_RGB8);
    uint64_t number = 0;
    while (number != 19) {
        CHECK(drs_camera_wait(camera, &clean, &number, 10000, nullptr) == DRS_OK);
        CHECK(result[0] == 255 - number);  // the pixels are that frame's
    }
    const drs_camera_counts counts = counts_of(camera);
    CHECK(counts.submitted == 20 && counts.dropped + counts.derained == 20 && counts.dropped > 10);
    CHECK(drs_camera_wait(camera, &clean, &number, 0, nullptr) == DRS_TIMED_OUT);
    CHECK(drs_camera_wait(camera, &clean, &number, 30, nullptr) == DRS_TIMED_OUT);
    drs_camera_close(camera);
    drs_close(derainer);
}

void test_old_results_are_replaced(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "dtype uint8");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    auto frame = some_pixels(16 * 16 * 3);
    const drs_image image = drs_image_of(frame.data(), 16, 16, DRS_NV12);
    for (uint64_t done = 1; done <= 3; ++done) {
        CHECK(drs_camera_submit(camera, &image, done, nullptr) == DRS_OK);
        while (counts_of(camera).derained < done) std::this_thread::yield();
    }
    CHECK(counts_of(camera).not_collected == 2);
    uint64_t number = 0;
    const drs_image smaller = drs_image_of(frame.data(), 8, 8, DRS_NV12);
    CHECK(drs_camera_wait(camera, &smaller, &number, 0, nullptr) == DRS_SHAPE_ERROR);
    CHECK(drs_camera_wait(camera, &image, &number, 0, nullptr) == DRS_OK);  // it is still there
    CHECK(number == 3);
    drs_camera_close(camera);
    drs_close(derainer);
}

void test_errors_arrive(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "fail_at 1");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    drs_close(derainer);  // the camera keeps the model
    auto frame = some_pixels(16 * 16 * 3);
    const drs_image image = drs_image_of(frame.data(), 16, 16, DRS_RGB8);
    drs_error error = DRS_ERROR_INIT;
    uint64_t number = 0;
    CHECK(drs_camera_submit(camera, &image, 7, nullptr) == DRS_OK);
    CHECK(drs_camera_wait(camera, &image, &number, 10000, &error) == DRS_MODEL_ERROR);
    CHECK(number == 7 && std::string(error.message).find("made to fail") != std::string::npos);
    CHECK(drs_camera_submit(camera, &image, 8, nullptr) == DRS_OK);
    CHECK(drs_camera_wait(camera, &image, &number, 10000, &error) == DRS_OK && number == 8);
    drs_camera_close(camera);
}

void test_drain(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "sleep_ms 50\nfail_at 2");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    CHECK(drs_camera_drain(camera, 0, nullptr) == DRS_OK);  // nothing was submitted
    auto frame = some_pixels(16 * 16 * 3);
    const drs_image image = drs_image_of(frame.data(), 16, 16, DRS_RGB8);
    uint64_t number = 0;
    for (const uint64_t submitted : {uint64_t{8}, uint64_t{9}}) {
        CHECK(drs_camera_submit(camera, &image, submitted, nullptr) == DRS_OK);
        if (submitted == 8) CHECK(drs_camera_drain(camera, 1, nullptr) == DRS_TIMED_OUT);
        CHECK(drs_camera_drain(camera, -1, nullptr) == DRS_OK);
    }
    const drs_camera_counts counts = counts_of(camera);
    CHECK(counts.submitted == 2 && counts.derained == 1 && counts.failed == 1);
    CHECK(counts.dropped == 0 && counts.not_collected == 1);
    CHECK(drs_camera_wait(camera, &image, &number, 0, nullptr) == DRS_MODEL_ERROR && number == 9);
    drs_camera_close(camera);
    drs_close(derainer);
}

void test_closing_ends_waiting(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    std::thread closer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        drs_camera_close(camera);
    });
    uint8_t pixel[3] = {};
    const drs_image image = drs_image_of(pixel, 1, 1, DRS_RGB8);
    CHECK(drs_camera_wait(camera, &image, nullptr, -1, nullptr) == DRS_CLOSED);
    closer.join();
    drs_close(derainer);
}

// Closed from its own thread, by the program's callback, and from inside a call that it waits for.
void close_it(void *user, const char *) {
    drs_camera_close(*static_cast<drs_camera **>(user));
}

int32_t close_in_call(void *user, int32_t, int32_t) {
    drs_camera_close(*static_cast<drs_camera **>(user));
    return 0;
}

void test_closing_from_callbacks(const TemporaryFolder &folder) {
    drs_camera *camera = nullptr;
    drs_options options = DRS_OPTIONS_INIT;
    options.on_message = close_it;
    options.user = &camera;
    drs_derainer *derainer = open_double(folder, "height 8\nwidth 8", options);
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    auto frame = some_pixels(16 * 16 * 3);
    const drs_image image = drs_image_of(frame.data(), 16, 16, DRS_RGB8);
    CHECK(drs_camera_submit(camera, &image, 1, nullptr) == DRS_OK);
    while (drs_camera_submit(camera, &image, 1, nullptr) == DRS_OK) std::this_thread::yield();
    drs_close(derainer);

    derainer = open_double(folder, "");
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    CHECK(drs_camera_submit(camera, &image, 1, nullptr) == DRS_OK);
    const drs_call call = {sizeof(drs_call), close_in_call, &camera};
    auto other = frame;
    const drs_image another = drs_image_of(other.data(), 16, 16, DRS_RGB8);
    CHECK(drs_derain(derainer, &another, &another, &call, nullptr) == DRS_OK);
    drs_close(derainer);
}

void test_a_second_waiter_keeps_its_time(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "");
    drs_camera *camera = nullptr;
    CHECK(drs_camera_open(derainer, &camera, nullptr) == DRS_OK);
    uint8_t pixel[6] = {};
    const drs_image first = drs_image_of(pixel, 1, 1, DRS_RGB8);
    const drs_image second = drs_image_of(pixel + 3, 1, 1, DRS_RGB8);
    std::thread patient([&] { drs_camera_wait(camera, &first, nullptr, -1, nullptr); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(drs_camera_wait(camera, &second, nullptr, 0, nullptr) == DRS_TIMED_OUT);
    drs_camera_close(camera);
    patient.join();
    drs_close(derainer);
}

void test_the_derainer_may_go_first(const TemporaryFolder &folder) {
    write_file(folder / "first.onnx", "height 8\nwidth 8");
    int told = 0;
    Options options;
    options.on_message = [&](const std::string &) {
        ++told;
        throw std::runtime_error("mine");
    };
    auto derainer = std::make_unique<Derainer>((folder / "first.onnx").string(), options);
    Camera camera(*derainer);
    derainer.reset();
    auto frame = some_pixels(16 * 16 * 3);
    const ImageView view(frame.data(), 16, 16, DRS_RGB8);
    camera.submit(view);
    try {
        camera.wait(view, std::chrono::milliseconds(10000));
        CHECK(false);
    } catch (const Error &error) {  // even what the callback must not throw arrives
        CHECK(error.status() == DRS_INTERNAL_ERROR && std::string(error.what()) == "mine");
    }
    CHECK(told == 1);
}

void test_from_cpp(const TemporaryFolder &folder) {
    write_file(folder / "cpp.onnx", "dtype float32");
    Camera camera{Derainer((folder / "cpp.onnx").string())};
    auto frame = some_pixels(20 * 10 * 2);
    const ImageView view(frame.data(), 20, 10, DRS_YUYV);
    const std::vector<uint8_t> only_read = frame;
    camera.submit({only_read.data(), 20, 10, DRS_YUYV}, 5);
    CHECK(camera.drain(std::chrono::milliseconds(10000)));
    CHECK(camera.wait(view, std::chrono::milliseconds(10000)) == uint64_t{5});
    CHECK(!camera.wait(view, std::chrono::milliseconds(0)));
    CHECK(camera.counts().derained == 1);
    camera.close();
    try {
        camera.submit(view);
        CHECK(false);
    } catch (const Error &error) {
        CHECK(error.status() == DRS_CLOSED);
    }
}

}  // namespace

int main() {
    const TemporaryFolder folder;
    test_newest_wins(folder);
    test_old_results_are_replaced(folder);
    test_errors_arrive(folder);
    test_drain(folder);
    test_closing_ends_waiting(folder);
    test_closing_from_callbacks(folder);
    test_a_second_waiter_keeps_its_time(folder);
    test_the_derainer_may_go_first(folder);
    test_from_cpp(folder);
    return checks_result();
}
