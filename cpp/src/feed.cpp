#include "feed.hpp"

#include <cstring>

#include "scaling.hpp"

namespace drsformer {
namespace {

constexpr uint16_t largest_of(int32_t bits) {
    return bits == 16 ? 65535 : 255;
}

std::size_t index(int64_t number) {
    return static_cast<std::size_t>(number);
}

std::size_t values_in(Size size) {
    return index(size[0]) * index(size[1]) * channels;
}

// Copies a part of a padded image of 8-bit pixels.
void fill_pixels(const uint8_t *rgb, const Plan &plan, const Part &part, uint8_t *input) {
    const std::size_t row_values = index(plan.image[1]) * channels;
    for (int32_t y = 0; y < part.size[0]; ++y) {
        const uint8_t *row = rgb + index(plan.y[index(part.top + y)]) * row_values;
        for (int32_t x = 0; x < part.size[1]; ++x, input += channels) {
            std::memcpy(input, row + index(plan.x[index(part.left + x)]) * channels, channels);
        }
    }
}

}  // namespace

Feed::Feed(const Contract &contract) : dtype_(contract.dtype) {
    for (std::size_t level = 0; level < values_of_bytes_.size(); ++level) {
        values_of_bytes_[level] = scaled(static_cast<uint16_t>(level), 255);
        halves_of_bytes_[level] = half_from_float(values_of_bytes_[level]);
    }
}

void Feed::fill(const Rgb &image, const Plan &plan, const Part &part, void *input, int64_t place) {
    const std::size_t first = index(place) * values_in(part.size);
    if (dtype_ == DRS_UINT8) {
        fill_pixels(static_cast<const uint8_t *>(image.samples), plan, part,
                    static_cast<uint8_t *>(input) + first);
    } else if (dtype_ == DRS_FLOAT32 && image.bits == 8) {
        fill_planes<uint8_t>(image, plan, part, static_cast<float *>(input) + first,
                             [&](uint8_t level) { return values_of_bytes_[level]; });
    } else if (dtype_ == DRS_FLOAT32) {
        fill_planes<uint16_t>(image, plan, part, static_cast<float *>(input) + first,
                              [](uint16_t level) { return scaled(level, 65535); });
    } else if (image.bits == 8) {
        fill_planes<uint8_t>(image, plan, part, static_cast<uint16_t *>(input) + first,
                             [&](uint8_t level) { return halves_of_bytes_[level]; });
    } else {
        fill_planes<uint16_t>(image, plan, part, static_cast<uint16_t *>(input) + first,
                              [](uint16_t level) { return half_from_float(scaled(level, 65535)); });
    }
}

// Writes (3, height, width).
template <typename Level, typename Value, typename Convert>
void Feed::fill_planes(const Rgb &image, const Plan &plan, const Part &part, Value *input,
                       Convert convert) const {
    const auto *rgb = static_cast<const Level *>(image.samples);
    const std::size_t row_values = index(plan.image[1]) * channels;
    const std::size_t plane = values_in(part.size) / channels;
    for (int32_t y = 0; y < part.size[0]; ++y) {
        const Level *row = rgb + index(plan.y[index(part.top + y)]) * row_values;
        for (int32_t x = 0; x < part.size[1]; ++x, ++input) {
            const Level *pixel = row + index(plan.x[index(part.left + x)]) * channels;
            input[0] = convert(pixel[0]);
            input[plane] = convert(pixel[1]);
            input[2 * plane] = convert(pixel[2]);
        }
    }
}

const float *Feed::values(const void *output, Size size, int64_t place) {
    const std::size_t count = values_in(size);
    if (dtype_ == DRS_FLOAT32) return static_cast<const float *>(output) + index(place) * count;
    const auto *halves = static_cast<const uint16_t *>(output) + index(place) * count;
    unpacked_.resize(count);
    for (std::size_t i = 0; i < count; ++i) unpacked_[i] = float_from_half(halves[i]);
    return unpacked_.data();
}

const uint8_t *Feed::levels(const void *output, Size size, int64_t place) const {
    return static_cast<const uint8_t *>(output) + index(place) * values_in(size);
}

void Feed::take(const void *output, const Plan &plan, int64_t place, int32_t bits, void *rgb) {
    if (dtype_ == DRS_UINT8) {
        const uint8_t *from = levels(output, plan.padded, place);
        auto *to = static_cast<uint8_t *>(rgb);
        const std::size_t row_values = index(plan.image[1]) * channels;
        for (int32_t y = 0; y < plan.image[0]; ++y, to += row_values) {
            std::memcpy(to, from + index(y) * index(plan.padded[1]) * channels, row_values);
        }
    } else if (bits == 8) {
        take_values(values(output, plan.padded, place), plan, static_cast<uint8_t *>(rgb));
    } else {
        take_values(values(output, plan.padded, place), plan, static_cast<uint16_t *>(rgb));
    }
}

template <typename Level>
void Feed::take_values(const float *values, const Plan &plan, Level *rgb) const {
    constexpr uint16_t largest = largest_of(8 * sizeof(Level));
    const std::size_t plane = values_in(plan.padded) / channels;
    for (int32_t y = 0; y < plan.image[0]; ++y) {
        const float *row = values + index(y) * index(plan.padded[1]);
        for (int32_t x = 0; x < plan.image[1]; ++x, ++row) {
            *rgb++ = static_cast<Level>(level_of(row[0], largest));
            *rgb++ = static_cast<Level>(level_of(row[plane], largest));
            *rgb++ = static_cast<Level>(level_of(row[2 * plane], largest));
        }
    }
}

}  // namespace drsformer
