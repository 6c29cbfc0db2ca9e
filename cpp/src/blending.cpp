#include "blending.hpp"

#include <algorithm>

#include "contract.hpp"
#include "scaling.hpp"

namespace drsformer {
namespace {

std::size_t index(int32_t number) {
    return static_cast<std::size_t>(number);
}

std::size_t width_of(const Axis &columns) {
    return columns.total.size();
}

// Returns sum / total, rounded half to even, exactly.
uint8_t quotient(uint64_t sum, uint64_t total) {
    const uint64_t whole = sum / total;
    const uint64_t twice_the_rest = sum % total * 2;
    const bool up = twice_the_rest > total || (twice_the_rest == total && whole % 2 == 1);
    return static_cast<uint8_t>(whole + (up ? 1 : 0));
}

// Moves the rows of a band up by `count`, and clears those that come in below.
template <typename Number>
void move_up(Number *band, std::size_t values, std::size_t gone) {
    std::copy(band + gone, band + values, band);
    std::fill(band + values - gone, band + values, Number{});
}

}  // namespace

void FloatBand::begin(const Axis &rows, const Axis &columns) {
    rows_ = &rows;
    columns_ = &columns;
    sums_.assign(channels * index(rows.side) * width_of(columns), 0.0F);
}

void FloatBand::add(const float *output, std::size_t row, std::size_t column) {
    const Weights &down = rows_->window(row);
    const Weights &across = columns_->window(column);
    const std::size_t width = width_of(*columns_);
    for (std::size_t line = 0; line < channels * down.size(); ++line) {
        const int64_t weight = down[line % down.size()];
        float *sums = sums_.data() + line * width + index(columns_->starts[column]);
        for (std::size_t x = 0; x < across.size(); ++x) {
            sums[x] += *output++ * static_cast<float>(weight * across[x]);
        }
    }
}

template <typename Level>
void FloatBand::take(int32_t top, int32_t bottom, int32_t width, Level *levels) {
    constexpr auto largest = static_cast<uint16_t>(Level(-1));
    const std::size_t plane = index(rows_->side) * width_of(*columns_);
    for (int32_t y = top; y < bottom; ++y) {
        const float *sums = sums_.data() + index(y - top) * width_of(*columns_);
        for (std::size_t x = 0; x < index(width); ++x) {
            const auto total = static_cast<float>(rows_->total[index(y)] * columns_->total[x]);
            for (std::size_t channel = 0; channel < channels; ++channel) {
                *levels++ =
                    static_cast<Level>(level_of(sums[channel * plane + x] / total, largest));
            }
        }
    }
    move(bottom - top);
}

template void FloatBand::take(int32_t, int32_t, int32_t, uint8_t *);
template void FloatBand::take(int32_t, int32_t, int32_t, uint16_t *);

void FloatBand::move(int32_t rows) {
    const std::size_t plane = index(rows_->side) * width_of(*columns_);
    for (std::size_t channel = 0; channel < channels; ++channel) {
        move_up(sums_.data() + channel * plane, plane, index(rows) * width_of(*columns_));
    }
}

void PixelBand::begin(const Axis &rows, const Axis &columns) {
    rows_ = &rows;
    columns_ = &columns;
    sums_.assign(index(rows.side) * width_of(columns) * channels, 0);
}

void PixelBand::add(const uint8_t *output, std::size_t row, std::size_t column) {
    const Weights &down = rows_->window(row);
    const Weights &across = columns_->window(column);
    uint64_t *sums = sums_.data() + index(columns_->starts[column]) * channels;
    for (const int64_t weight : down) {
        for (std::size_t x = 0; x < across.size() * channels; ++x) {
            sums[x] += static_cast<uint64_t>(weight * across[x / channels]) * *output++;
        }
        sums += width_of(*columns_) * channels;
    }
}

void PixelBand::take(int32_t top, int32_t bottom, int32_t width, uint8_t *levels) {
    for (int32_t y = top; y < bottom; ++y) {
        const uint64_t *sums = sums_.data() + index(y - top) * width_of(*columns_) * channels;
        for (std::size_t i = 0; i < index(width) * channels; ++i) {
            const int64_t total = rows_->total[index(y)] * columns_->total[i / channels];
            *levels++ = total == 1 ? static_cast<uint8_t>(sums[i])
                                   : quotient(sums[i], static_cast<uint64_t>(total));
        }
    }
    move(bottom - top);
}

void PixelBand::move(int32_t rows) {
    move_up(sums_.data(), sums_.size(), index(rows) * width_of(*columns_) * channels);
}

}  // namespace drsformer
