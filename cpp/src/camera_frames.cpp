#include "camera_frames.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "contract.hpp"

namespace drsformer {
namespace {

constexpr std::ptrdiff_t two_pixels = 2 * channels;  // samples
constexpr int fraction_bits = 16;
constexpr int32_t whole = 1 << fraction_bits;

using Row = std::array<int64_t, 3>;  // weights of red, green and blue, in fractions of `whole`

// What red and blue weigh in Y, by the standard; green has the rest.
struct Standard {
    double red;
    double blue;
};

Standard standard_of(int32_t matrix) {
    switch (matrix) {
        case DRS_BT709:
            return {0.2126, 0.0722};
        case DRS_BT2020:
            return {0.2627, 0.0593};
        default:
            return {0.299, 0.114};
    }
}

int64_t fixed(double number) {
    return std::llround(number * whole);
}

// The arithmetic of one matrix and range, both ways.
struct Conversion {
    int64_t black;                                  // the level of Y
    int64_t luma, v_red, u_green, v_green, u_blue;  // to RGB
    Row y, u, v;                                    // from RGB

    explicit Conversion(const View &view) {
        const auto [red, blue] = standard_of(view.matrix);
        const double green = 1.0 - red - blue;
        const bool limited = view.range == DRS_LIMITED_RANGE;
        const double y_levels = limited ? 219.0 / 255.0 : 1.0;  // for each level of RGB
        const double u_levels = (limited ? 224.0 / 255.0 : 1.0) / 2.0 / (1.0 - blue);
        const double v_levels = (limited ? 224.0 / 255.0 : 1.0) / 2.0 / (1.0 - red);
        black = limited ? 16 : 0;
        luma = fixed(1.0 / y_levels);
        v_red = fixed(1.0 / v_levels);
        u_blue = fixed(1.0 / u_levels);
        v_green = fixed(red / green / v_levels);
        u_green = fixed(blue / green / u_levels);
        // green is the rest of each row, so that grey has no colour
        y = {fixed(red * y_levels), 0, fixed(blue * y_levels)};
        y[1] = fixed(y_levels) - y[0] - y[2];
        u = {fixed(-red * u_levels), 0, fixed((1.0 - blue) * u_levels)};
        u[1] = -u[0] - u[2];
        v = {fixed((1.0 - red) * v_levels), 0, fixed(-blue * v_levels)};
        v[1] = -v[0] - v[2];
    }
};

// Returns a number of 16 fractional bits as a level: rounded half up, and clamped.
uint8_t level(int64_t number) {
    // below 0 division rounds towards zero, which clamping makes equal
    return static_cast<uint8_t>(std::clamp<int64_t>((number + whole / 2) / whole, 0, 255));
}

void write_pixel(const Conversion &to, int32_t y, int32_t u, int32_t v, uint8_t *rgb) {
    const int64_t grey = (y - to.black) * to.luma;
    rgb[0] = level(grey + (v - 128) * to.v_red);
    rgb[1] = level(grey - (u - 128) * to.u_green - (v - 128) * to.v_green);
    rgb[2] = level(grey + (u - 128) * to.u_blue);
}

int64_t weighted(const Row &row, const uint8_t *rgb) {
    return row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2];
}

uint8_t y_of(const Conversion &from, const uint8_t *rgb) {
    return level(from.black * whole + weighted(from.y, rgb));
}

// Writes U and V of the mean of the two pixels that begin at each of two rows.
void write_chroma(const Conversion &from, const uint8_t *upper, const uint8_t *lower, uint8_t *uv,
                  std::ptrdiff_t step) {
    int64_t u = 0;
    int64_t v = 0;
    for (const uint8_t *pixel : {upper, upper + channels, lower, lower + channels}) {
        u += weighted(from.u, pixel);
        v += weighted(from.v, pixel);
    }
    uv[0] = level(int64_t{128} * whole + u / 4);
    uv[step] = level(int64_t{128} * whole + v / 4);
}

void read_yuyv(const View &view, const Conversion &to, uint8_t *rgb) {
    for (int32_t y = 0; y < view.height(); ++y) {
        const uint8_t *pair = view.row(y);
        for (int32_t x = 0; x < view.width(); x += 2, pair += 4, rgb += two_pixels) {
            write_pixel(to, pair[0], pair[1], pair[3], rgb);
            write_pixel(to, pair[2], pair[1], pair[3], rgb + channels);
        }
    }
}

void read_nv12(const View &view, const Conversion &to, uint8_t *rgb) {
    for (int32_t y = 0; y < view.height(); ++y) {
        const uint8_t *luma = view.row(y);
        const uint8_t *uv = view.chroma + static_cast<std::size_t>(y / 2) * view.chroma_stride;
        for (int32_t x = 0; x < view.width(); x += 2, uv += 2, rgb += two_pixels) {
            write_pixel(to, luma[x], uv[0], uv[1], rgb);
            write_pixel(to, luma[x + 1], uv[0], uv[1], rgb + channels);
        }
    }
}

void write_yuyv(const uint8_t *rgb, const Conversion &from, View &view) {
    for (int32_t y = 0; y < view.height(); ++y) {
        uint8_t *pair = view.row(y);
        for (int32_t x = 0; x < view.width(); x += 2, pair += 4, rgb += two_pixels) {
            pair[0] = y_of(from, rgb);
            pair[2] = y_of(from, rgb + channels);
            write_chroma(from, rgb, rgb, pair + 1, 2);
        }
    }
}

void write_nv12(const uint8_t *rgb, const Conversion &from, View &view) {
    const auto row_values = static_cast<std::size_t>(view.width()) * channels;
    for (int32_t y = 0; y < view.height(); ++y) {
        uint8_t *luma = view.row(y);
        uint8_t *uv = view.chroma + static_cast<std::size_t>(y / 2) * view.chroma_stride;
        for (int32_t x = 0; x < view.width(); ++x, rgb += channels) {
            luma[x] = y_of(from, rgb);
            // the last pixel of four has all of them behind it
            if (x % 2 == 1 && y % 2 == 1) {
                const uint8_t *lower = rgb - channels;
                write_chroma(from, lower - row_values, lower, uv + x - 1, 1);
            }
        }
    }
}

}  // namespace

void read_frame(const View &view, uint8_t *rgb) {
    const Conversion to(view);
    (view.format == DRS_YUYV ? read_yuyv : read_nv12)(view, to, rgb);
}

void write_frame(const uint8_t *rgb, View &view) {
    const Conversion from(view);
    (view.format == DRS_YUYV ? write_yuyv : write_nv12)(rgb, from, view);
}

}  // namespace drsformer
