#include "whole_or_tiles.hpp"

#include <algorithm>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "failure.hpp"
#include "free_memory.hpp"

namespace drsformer {
namespace {

constexpr double share = 0.8;       // of the free memory; the rest is for what was not foreseen
constexpr int32_t side_step = 128;  // between the tiles that are tried, and the smallest of them

// Returns more bytes than a pixel takes: the full network takes 22 KB as a plain graph, and 7.5 KB
// at most in our form.
double rough_per_pixel(const Model &model) {
    return model.is_deployed() ? 10e3 : 24e3;
}

// Returns more bytes than a run takes, without measuring. Opening takes up to three times the file.
double rough_bytes_of(const Model &model, int64_t pixels) {
    const int32_t images = model.fixed_batch() ? model.fixed_batch() : 1;
    return 500e6 + 4.0 * static_cast<double>(model.file_bytes()) +
           rough_per_pixel(model) * static_cast<double>(pixels) * images;
}

// Fills an input with values that no computation can skip.
void fill(const Model::Buffers &buffers, const Contract &contract, int64_t values) {
    auto *bytes = static_cast<uint8_t *>(buffers.input);
    const auto count = static_cast<std::size_t>(values);
    if (contract.takes_pixels()) {
        for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * 37 % 251);
    } else {  // all bits of a small number that is the same in both float types' upper half
        std::memset(bytes, 0x34, count * (contract.dtype == DRS_FLOAT16 ? 2 : 4));
    }
}

// Runs a model once, and returns what that took.
Need need_of(Model &model, Size size, bool as_large) {
    const int64_t pixels = int64_t{size[0]} * size[1];
    model.release();
    const int64_t before = resident_bytes();
    const Model::Buffers buffers = model.prepare_as(1, size, as_large);
    const int64_t ready = resident_bytes();
    fill(buffers, model.contract(), pixels * channels * buffers.images);
    PeakMemory watched;
    model.run();
    const int64_t peak = watched.stop();
    model.release();
    return {static_cast<double>(std::max<int64_t>(0, ready - before)),
            static_cast<double>(std::max<int64_t>(0, peak - ready)) / static_cast<double>(pixels)};
}

// Returns the mean of what the backend's samples take.
Need measured_need(Model &model, bool as_large) {
    Need mean = {0.0, 0.0};
    int count = 0;
    for (const auto &sample : model.info().samples) {
        if (sample[0] == 0) continue;
        const Need need = need_of(model, {sample[0], sample[1]}, as_large);
        if (count == 0) mean.fixed = need.fixed;
        mean.per_pixel += (need.per_pixel - mean.per_pixel) / ++count;
    }
    // so little is no network of ours: meanwhile another thread has given memory back
    if (mean.per_pixel < rough_per_pixel(model) / 10) mean.per_pixel = rough_per_pixel(model);
    return mean;
}

std::string gigabytes(double bytes) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << bytes / 1e9 << " GB";
    return text.str();
}

}  // namespace

std::optional<Tiling> WholeOrTiles::tiling_for(Size padded, int64_t bytes) {
    if (padded != size_) {
        tiling_ = decided(padded, static_cast<double>(bytes));
        size_ = padded;
    }
    return tiling_;
}

std::optional<Tiling> WholeOrTiles::decided(Size padded, double held) {
    if (!model_.info().measures_memory || blind_) return std::nullopt;
    const int64_t pixels = int64_t{padded[0]} * padded[1];
    const auto known = free_memory();
    if (!known) return std::nullopt;
    const auto free = static_cast<double>(*known);
    if (rough_bytes_of(model_, pixels) + held <= share * free) return std::nullopt;
    try {
        return fitting(padded, held, free);
    } catch (const Failure &failure) {
        blind_ = true;
        settings_.say("how much memory " + model_.path() +
                      " takes is not known: " + failure.what());
        return std::nullopt;
    }
}

// Returns how to cut an image so that it fits into so much memory, by what was measured.
std::optional<Tiling> WholeOrTiles::fitting(Size padded, double held, double free) {
    const double whole = bytes_of(int64_t{padded[0]} * padded[1]) + held;
    if (whole > share * free) {  // the last image's memory may be kept for the next of its size
        model_.release();
        free = static_cast<double>(free_memory().value_or(static_cast<int64_t>(free)));
    }
    if (whole <= share * free) return std::nullopt;
    bool fits = false;
    const int32_t side = largest_side(padded, share * free - held, fits);
    say_once(padded, whole, free, side, fits);
    return Tiling{side, std::min(settings_.overlap, side / 2), settings_.blend, std::nullopt};
}

double WholeOrTiles::bytes_of(int64_t pixels) {
    const bool as_large = model_.is_large(pixels);
    std::optional<Need> &need = needs_[as_large ? 1 : 0];
    if (!need) need = measured_need(model_, as_large);
    return need->bytes_of(pixels);
}

// Returns the largest side of a tile that fits; tiles are no longer than the image is.
int32_t WholeOrTiles::largest_side(Size padded, double most_bytes, bool &fits) {
    int32_t side = settings_.blend == Blend::uniform ? std::min(padded[0], padded[1])
                                                     : std::max(padded[0], padded[1]);
    while (true) {
        const int64_t pixels = int64_t{std::min(side, padded[0])} * std::min(side, padded[1]);
        fits = bytes_of(pixels) <= most_bytes;
        if (fits || side <= side_step) return side;
        side = (side - 1) / side_step * side_step;
    }
}

void WholeOrTiles::say_once(Size padded, double whole, double free, int32_t side, bool fits) {
    if (said_) return;
    said_ = true;
    settings_.say(
        std::to_string(padded[1]) + " x " + std::to_string(padded[0]) + " pixels take about " +
        gigabytes(whole) + " whole, more than four fifths of the " + gigabytes(free) +
        " that are free: images are cut into tiles of " + std::to_string(side) +
        (fits ? "" : ", which may not fit either") +
        ", which changes the result a little; whole ones can be insisted on (DRS_TILE_WHOLE, "
        "drs-derain --tile whole)");
}

}  // namespace drsformer
