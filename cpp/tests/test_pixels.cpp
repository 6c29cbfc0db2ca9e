// Camera frames and formats at the level of single values.
#include <algorithm>
#include <cstdlib>

#include "check.hpp"
#include "double_model.hpp"
#include "pixels.hpp"

using namespace drsformer;

namespace {

View view(std::vector<uint8_t> &pixels, int32_t width, int32_t height, int32_t format,
          int32_t matrix = DRS_BT601, int32_t range = DRS_LIMITED_RANGE) {
    drs_image image = drs_image_of(pixels.data(), width, height, format);
    image.matrix = matrix;
    image.range = range;
    return view_of(&image, "the image");
}

// Values of the standards: black, white, grey and pure colours.
void test_known_colours() {
    struct Colour {
        int32_t matrix, range;
        std::vector<uint8_t> yuyv, rgb;
    };
    for (const Colour &colour : {
             Colour{DRS_BT601, DRS_LIMITED_RANGE, {16, 128, 235, 128}, {0, 0, 0, 255, 255, 255}},
             Colour{DRS_BT601, DRS_FULL_RANGE, {0, 128, 255, 128}, {0, 0, 0, 255, 255, 255}},
             Colour{DRS_BT709, DRS_FULL_RANGE, {77, 128, 200, 128}, {77, 77, 77, 200, 200, 200}},
             // red of 75 % bars, and blue
             Colour{DRS_BT601, DRS_LIMITED_RANGE, {81, 90, 81, 240}, {254, 0, 0, 254, 0, 0}},
             Colour{DRS_BT709, DRS_LIMITED_RANGE, {63, 102, 63, 240}, {255, 1, 0, 255, 1, 0}},
             Colour{DRS_BT709, DRS_LIMITED_RANGE, {32, 240, 32, 118}, {1, 0, 255, 1, 0, 255}},
         }) {
        std::vector<uint8_t> frame = colour.yuyv;
        std::vector<uint8_t> rgb(6);
        read_rgb(view(frame, 2, 1, DRS_YUYV, colour.matrix, colour.range), rgb.data());
        for (std::size_t i = 0; i < rgb.size(); ++i) {
            CHECK(std::abs(rgb[i] - colour.rgb[i]) <= 1);
        }
    }
}

// Frames of grey and of colours that RGB has come back within a level.
void test_there_and_back() {
    for (const int32_t format : {DRS_YUYV, DRS_NV12}) {
        for (const int32_t matrix : {DRS_BT601, DRS_BT709, DRS_BT2020}) {
            for (const int32_t range : {DRS_LIMITED_RANGE, DRS_FULL_RANGE}) {
                std::vector<uint8_t> rgb(16 * 16 * 3);
                const auto random = some_pixels(rgb.size() / 4);
                for (std::size_t i = 0; i < rgb.size(); ++i) {  // two by two pixels are alike
                    const std::size_t x = i / 3 % 16 / 2, y = i / 48 / 2;
                    rgb[i] = random[(y * 8 + x) * 3 + i % 3];
                }
                std::vector<uint8_t> frame(16 * 16 * 2);
                View to = view(frame, 16, 16, format, matrix, range);
                write_rgb(rgb.data(), to, to);
                std::vector<uint8_t> again(rgb.size());
                read_rgb(to, again.data());
                int worst = 0;
                for (std::size_t i = 0; i < rgb.size(); ++i) {
                    worst = std::max(worst, std::abs(rgb[i] - again[i]));
                }
                CHECK(worst <= 3);
            }
        }
    }
}

void test_chroma_plane_of_its_own() {
    std::vector<uint8_t> together = some_pixels(8 * 4 * 3 / 2);
    std::vector<uint8_t> luma(20 * 4);
    std::vector<uint8_t> chroma(12 * 2);
    for (std::size_t y = 0; y < 4; ++y) std::copy_n(&together[y * 8], 8, &luma[y * 20]);
    for (std::size_t y = 0; y < 2; ++y) std::copy_n(&together[32 + y * 8], 8, &chroma[y * 12]);
    drs_image image = drs_image_of(luma.data(), 8, 4, DRS_NV12);
    image.stride = 20;
    image.chroma = chroma.data();
    image.chroma_stride = 12;
    std::vector<uint8_t> one(8 * 4 * 3);
    std::vector<uint8_t> other(one.size());
    read_rgb(view(together, 8, 4, DRS_NV12), one.data());
    read_rgb(view_of(&image, "the image"), other.data());
    CHECK(one == other);
}

void test_grey_is_the_luma() {
    std::vector<uint8_t> rgb = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};
    std::vector<uint8_t> grey(4);
    View to = view(grey, 4, 1, DRS_GREY8);
    write_rgb(rgb.data(), to, to);
    CHECK(grey == std::vector<uint8_t>({76, 150, 29, 18}));  // as OpenCV computes it
}

}  // namespace

int main() {
    test_known_colours();
    test_there_and_back();
    test_chroma_plane_of_its_own();
    test_grey_is_the_luma();
    return checks_result();
}
