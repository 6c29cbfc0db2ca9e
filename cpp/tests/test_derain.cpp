// What the C functions do with images: every format, strides, in place, tiles, fixed sizes,
// batches, progress and cancelling. The double's network inverts.
#include <array>

#include "double_model.hpp"

using namespace drsformer;

namespace {

struct Format {
    int32_t format;
    int32_t samples;
    int32_t bytes;
    int32_t alpha;  // -1: none
};

constexpr std::array<Format, 10> formats = {{{DRS_RGB8, 3, 1, -1},
                                             {DRS_BGR8, 3, 1, -1},
                                             {DRS_RGBA8, 4, 1, 3},
                                             {DRS_BGRA8, 4, 1, 3},
                                             {DRS_GREY8, 1, 1, -1},
                                             {DRS_RGB16, 3, 2, -1},
                                             {DRS_BGR16, 3, 2, -1},
                                             {DRS_RGBA16, 4, 2, 3},
                                             {DRS_BGRA16, 4, 2, 3},
                                             {DRS_GREY16, 1, 2, -1}}};

std::size_t index(int64_t number) {
    return static_cast<std::size_t>(number);
}

// Whether every sample was inverted, but for alpha and the bytes between the rows.
bool is_inverted(const std::vector<uint8_t> &before, const std::vector<uint8_t> &after,
                 const Format &format, int32_t width, int32_t height, std::size_t stride) {
    const std::size_t pixel = index(format.samples * format.bytes);
    for (std::size_t y = 0; y < index(height); ++y) {
        for (std::size_t x = 0; x < stride; ++x) {
            const std::size_t at = y * stride + x;
            const bool gap = x >= index(width) * pixel;
            const bool alpha = x % pixel / index(format.bytes) == index(format.alpha);
            const int expected = gap || alpha ? before[at] : 255 - before[at];
            if (after[at] != expected) return false;
        }
    }
    return true;
}

void test_formats(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "dtype float32");
    for (const Format &format : formats) {
        for (const auto &[width, height] : {std::pair{1, 1}, {37, 53}, {8, 16}, {64, 3}}) {
            const std::size_t stride = index(width * format.samples * format.bytes) + 6;
            const auto before = some_pixels(stride * index(height));
            auto after = before;
            drs_image image = drs_image_of(after.data(), width, height, format.format);
            image.stride = stride;
            CHECK(drs_derain(derainer, &image, &image, nullptr, nullptr) == DRS_OK);
            CHECK(is_inverted(before, after, format, width, height, stride));
        }
    }
    drs_close(derainer);
}

void test_between_formats(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "dtype uint8");
    const std::vector<uint8_t> rgb = {10, 20, 30, 40, 50, 60};
    std::vector<uint8_t> source = rgb;
    std::vector<uint8_t> clean(8);
    const drs_image from = drs_image_of(source.data(), 2, 1, DRS_RGB8);
    const drs_image to = drs_image_of(clean.data(), 2, 1, DRS_BGRA8);
    CHECK(drs_derain(derainer, &from, &to, nullptr, nullptr) == DRS_OK);
    CHECK(clean == std::vector<uint8_t>({225, 235, 245, 255, 195, 205, 215, 255}));
    CHECK(source == rgb);
    drs_close(derainer);
}

void test_tiles(const TemporaryFolder &folder) {
    for (const char *dtype : {"dtype float32", "dtype float16", "dtype uint8"}) {
        for (const int32_t blend : {DRS_BLEND_UNIFORM, DRS_BLEND_FEATHER}) {
            drs_options options = DRS_OPTIONS_INIT;
            options.tile = 16;
            options.overlap = 5;
            options.blend = blend;
            drs_derainer *derainer = open_double(folder, dtype, options);
            const auto before = some_pixels(53 * 37 * 3);
            auto after = before;
            const drs_image image = drs_image_of(after.data(), 53, 37, DRS_RGB8);
            CHECK(drs_derain(derainer, &image, &image, nullptr, nullptr) == DRS_OK);
            CHECK(is_inverted(before, after, formats[0], 53, 37, 53 * 3));
            drs_plan plan = {};
            plan.struct_size = sizeof plan;
            CHECK(drs_get_plan(derainer, 53, 37, &plan, nullptr) == DRS_OK);
            CHECK(plan.reason == DRS_TILES_ASKED && plan.tile_width == 16 && plan.columns == 5 &&
                  plan.rows == 4);
            drs_close(derainer);
        }
    }
}

void test_fixed_size(const TemporaryFolder &folder) {
    drs_derainer *derainer = open_double(folder, "images 2\nheight 16\nwidth 24");
    for (const auto &[width, height] : {std::pair{1, 1}, {24, 16}, {5, 40}, {60, 7}, {50, 50}}) {
        const auto before = some_pixels(index(width * height * 3));
        auto after = before;
        const drs_image image = drs_image_of(after.data(), width, height, DRS_BGR8);
        CHECK(drs_derain(derainer, &image, &image, nullptr, nullptr) == DRS_OK);
        CHECK(is_inverted(before, after, formats[1], width, height, index(width * 3)));
    }
    drs_info info = {};
    info.struct_size = sizeof info;
    CHECK(drs_get_info(derainer, &info, nullptr) == DRS_OK);
    CHECK(info.most_images == 2 && info.least_width == 24 && info.most_height == 16);
    CHECK(std::string(info.provider) == "cpu" && std::string(info.dtype) == "float32");
    drs_close(derainer);
}

void test_batch(const TemporaryFolder &folder) {
    for (const char *lines : {"dtype float32", "images 3", "images 1\nheight 8\nwidth 8"}) {
        drs_derainer *derainer = open_double(folder, lines);
        std::vector<std::vector<uint8_t>> before;
        std::vector<std::vector<uint8_t>> after;
        std::vector<drs_image> images;
        for (const int32_t width : {8, 7, 30, 8, 5, 8, 8, 8, 8, 8, 8, 8}) {
            before.push_back(some_pixels(index(width * 8 * 3)));
        }
        after = before;
        for (auto &pixels : after) {
            images.push_back(
                drs_image_of(pixels.data(), static_cast<int32_t>(pixels.size() / 24), 8, DRS_RGB8));
        }
        CHECK(drs_derain_batch(derainer, images.data(), images.data(), images.size(), nullptr,
                               nullptr) == DRS_OK);
        for (std::size_t i = 0; i < before.size(); ++i) {
            CHECK(is_inverted(before[i], after[i], formats[0], images[i].width, 8,
                              index(images[i].width * 3)));
        }
        CHECK(drs_derain_batch(derainer, nullptr, nullptr, 0, nullptr, nullptr) == DRS_OK);
        drs_close(derainer);
    }
}

// A batch whose second image cannot be derained leaves the first as it was.
void test_batch_is_checked_first(const TemporaryFolder &folder) {
    drs_options options = DRS_OPTIONS_INIT;
    options.tile = 64;
    drs_derainer *derainer = open_double(folder, "", options);
    auto first = some_pixels(128 * 128 * 3);
    auto second = some_pixels(128 * 8 * 3);
    const auto before = first;
    const drs_image images[] = {drs_image_of(first.data(), 128, 128, DRS_RGB8),
                                drs_image_of(second.data(), 128, 8, DRS_RGB8)};
    CHECK(drs_derain_batch(derainer, images, images, 2, nullptr, nullptr) == DRS_SHAPE_ERROR);
    CHECK(first == before);
    drs_close(derainer);
}

struct Progress {
    int32_t calls = 0;
    int32_t stop_at = 0;
    drs_derainer *cancelled = nullptr;  // by drs_cancel, from inside
};

int32_t on_tile(void *user, int32_t done, int32_t total) {
    auto &progress = *static_cast<Progress *>(user);
    CHECK(done == ++progress.calls && total == 12);
    if (progress.cancelled && done == 2) drs_cancel(progress.cancelled, nullptr);
    return done == progress.stop_at ? 1 : 0;
}

void test_progress_and_cancel(const TemporaryFolder &folder) {
    drs_options options = DRS_OPTIONS_INIT;
    options.tile = 8;
    options.overlap = -1;
    drs_derainer *derainer = open_double(folder, "", options);
    const auto before = some_pixels(32 * 24 * 3);
    auto after = before;
    const drs_image image = drs_image_of(after.data(), 32, 24, DRS_RGB8);
    for (const int32_t stop_at : {0, 1, 5}) {
        for (const bool by_cancel : {false, true}) {
            Progress progress = {0, stop_at, by_cancel ? derainer : nullptr};
            const drs_call call = {sizeof(drs_call), on_tile, &progress};
            const bool goes_on = stop_at == 0 && !by_cancel;
            after = before;
            CHECK(drs_derain(derainer, &image, &image, &call, nullptr) ==
                  (goes_on ? DRS_OK : DRS_CANCELLED));
            CHECK((after == before) == !goes_on);  // nothing is written half-way
            if (goes_on) CHECK(progress.calls == 12);
        }
    }
    drs_timings timings = {};
    timings.struct_size = sizeof timings;
    CHECK(drs_get_timings(derainer, &timings, nullptr) == DRS_OK);
    CHECK(timings.runs > 0 && timings.total_seconds >= timings.backend_seconds);
    drs_close(derainer);
}

void count_message(void *user, const char *sentence) {
    ++*static_cast<int *>(user);
    CHECK(std::string(sentence).find("24") != std::string::npos);
}

void test_messages_come_once(const TemporaryFolder &folder) {
    int count = 0;
    drs_options options = DRS_OPTIONS_INIT;
    options.on_message = count_message;
    options.user = &count;
    drs_derainer *derainer = open_double(folder, "height 24\nwidth 24", options);
    auto pixels = some_pixels(40 * 40 * 3);
    for (const int32_t side : {24, 40, 10, 40}) {
        const drs_image image = drs_image_of(pixels.data(), side, side, DRS_RGB8);
        CHECK(drs_derain(derainer, &image, &image, nullptr, nullptr) == DRS_OK);
        CHECK(count == (side == 24 ? 0 : 1));
    }
    drs_close(derainer);
}

}  // namespace

int main() {
    const TemporaryFolder folder;
    test_formats(folder);
    test_between_formats(folder);
    test_tiles(folder);
    test_fixed_size(folder);
    test_batch(folder);
    test_batch_is_checked_first(folder);
    test_progress_and_cancel(folder);
    test_messages_come_once(folder);
    return checks_result();
}
