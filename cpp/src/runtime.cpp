#include "runtime.hpp"

#include <algorithm>
#include <chrono>

#include "failure.hpp"

namespace drsformer {
namespace {

using Clock = std::chrono::steady_clock;

// A batch pays off while images are small; above these bounds it only costs memory.
constexpr std::size_t most_in_batch = 8;
constexpr int64_t most_batch_pixels = 1 << 19;

std::size_t bytes_of(const View &view) {
    return static_cast<std::size_t>(view.height()) * static_cast<std::size_t>(view.width()) *
           channels * static_cast<std::size_t>(view.bits() / 8);
}

}  // namespace

// One call's turn: waits for the calls before it.
class Runtime::Turn {
  public:
    explicit Turn(Runtime &runtime) : runtime_(runtime) {
        runtime.check_not_inside();
        runtime.mutex_.lock();
        runtime.owner_ = std::this_thread::get_id();
        runtime.cancelled_ = false;
        runtime.runs_ = 0;
    }

    ~Turn() {
        runtime_.owner_ = std::thread::id();
        runtime_.mutex_.unlock();
    }

    Turn(const Turn &) = delete;
    Turn &operator=(const Turn &) = delete;

  private:
    Runtime &runtime_;
};

// The time of a turn that derains the caller's images.
class Runtime::Watch {
  public:
    explicit Watch(Runtime &runtime)
        : runtime_(runtime), backend_before_(runtime.model_.backend_seconds()) {}

    ~Watch() {
        const std::chrono::duration<double> total = Clock::now() - start_;
        const std::lock_guard lock(runtime_.timings_mutex_);
        runtime_.timings_.runs = runtime_.runs_;
        runtime_.timings_.total_seconds = total.count();
        runtime_.timings_.backend_seconds = runtime_.model_.backend_seconds() - backend_before_;
    }

    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;

  private:
    Runtime &runtime_;
    Clock::time_point start_ = Clock::now();
    double backend_before_;
};

void Runtime::check_not_inside() const {
    if (!is_inside()) return;
    throw Failure(DRS_INVALID_ARGUMENT,
                  "a derainer was called from its own on_tile or on_message; expected drs_cancel "
                  "alone there");
}

Runtime::Runtime(const std::string &path, Settings settings)
    : settings_(std::move(settings)),
      model_(path, settings_),
      planner_(model_, settings_),
      feed_(model_.contract()) {}

void Runtime::derain(const View &rainy, const View &clean, const drs_call *call) {
    const Turn turn(*this);
    const Watch watch(*this);
    check_bits(rainy);
    derain_one(rainy, clean, call);
}

void Runtime::derain_one(const View &rainy, const View &clean, const drs_call *call) {
    const Plan &plan = planner_.plan_for(rainy.size, rainy.bits());
    say_once(plan);
    const Rgb image = read(rainy);
    if (plan.tiling) {
        derain_tiles(plan, image, call);
    } else {
        derain_whole(plan, image);
        report(call, 1, 1);
    }
    write_rgb(clean_rgb_.data(), rainy, clean);
}

void Runtime::derain_whole(const Plan &plan, const Rgb &image) {
    const Model::Buffers buffers = model_.prepare(1, plan.padded);
    fill_all(image, plan, {0, 0, plan.padded}, buffers);
    run();
    feed_.take(buffers.output, plan, 0, image.bits, clean_rgb_.data());
}

void Runtime::derain_tiles(const Plan &plan, const Rgb &image, const drs_call *call) {
    if (model_.contract().takes_pixels()) {
        pixel_band_.begin(plan.rows, plan.columns);
    } else {
        float_band_.begin(plan.rows, plan.columns);
    }
    const std::size_t across = plan.columns.starts.size();
    const auto total = static_cast<int64_t>(plan.rows.starts.size() * across);
    int64_t done = 0;
    for (std::size_t row = 0; row < plan.rows.starts.size(); ++row) {
        for (std::size_t column = 0; column < across; ++column) {
            add_tile(plan, image, row, column);
            report(call, ++done, total);
        }
        take_rows(plan, image.bits, row);
    }
}

void Runtime::add_tile(const Plan &plan, const Rgb &image, std::size_t row, std::size_t column) {
    const Size size = plan.input();
    const Model::Buffers buffers = model_.prepare(1, size);
    fill_all(image, plan, {plan.rows.starts[row], plan.columns.starts[column], size}, buffers);
    run();
    if (model_.contract().takes_pixels()) {
        pixel_band_.add(feed_.levels(buffers.output, size, 0), row, column);
    } else {
        float_band_.add(feed_.values(buffers.output, size, 0), row, column);
    }
}

// Takes the rows that no later row of tiles touches.
void Runtime::take_rows(const Plan &plan, int32_t bits, std::size_t row) {
    const auto [height, width] = plan.image;
    const int32_t top = plan.rows.starts[row];
    const int32_t bottom = std::min(plan.rows.finished(row), height);
    const auto before = static_cast<std::size_t>(top) * static_cast<std::size_t>(width) * channels;
    if (model_.contract().takes_pixels()) {
        pixel_band_.take(top, bottom, width, clean_rgb_.data() + before);
    } else if (bits == 8) {
        float_band_.take(top, bottom, width, clean_rgb_.data() + before);
    } else {
        float_band_.take(top, bottom, width,
                         reinterpret_cast<uint16_t *>(clean_rgb_.data()) + before);
    }
}

void Runtime::derain_batch(const std::vector<View> &rainy, const std::vector<View> &clean,
                           const drs_call *call) {
    const Turn turn(*this);
    const Watch watch(*this);
    for (const View &view : rainy) check_bits(view);
    const bool whole = all_whole(rainy);
    std::vector<bool> is_done(rainy.size());
    std::vector<std::size_t> chosen;
    int64_t done = 0;
    for (std::size_t first = 0; first < rainy.size(); ++first) {
        if (is_done[first]) continue;
        const Size padded = planner_.plan_for(rainy[first].size, rainy[first].bits()).padded;
        const std::size_t most = whole ? most_together(padded) : 1;
        chosen.clear();
        for (std::size_t i = first; i < rainy.size() && chosen.size() < most; ++i) {
            if (is_done[i] || planner_.plan_for(rainy[i].size, rainy[i].bits()).padded != padded) {
                continue;
            }
            chosen.push_back(i);
            is_done[i] = true;
        }
        if (whole) {
            derain_together(rainy, clean, chosen);
        } else {
            derain_one(rainy[first], clean[first], nullptr);
        }
        done += static_cast<int64_t>(chosen.size());
        report(call, done, static_cast<int64_t>(rainy.size()));
    }
}

// Derains images of one padded size in one run of the network.
void Runtime::derain_together(const std::vector<View> &rainy, const std::vector<View> &clean,
                              const std::vector<std::size_t> &chosen) {
    const Size padded = planner_.plan_for(rainy[chosen[0]].size, rainy[chosen[0]].bits()).padded;
    const Model::Buffers buffers = model_.prepare(static_cast<int32_t>(chosen.size()), padded);
    for (int64_t place = 0; place < buffers.images; ++place) {
        // a model of a fixed batch gets the last image again until it has its number
        const auto last = static_cast<int64_t>(chosen.size()) - 1;
        const View &view = rainy[chosen[static_cast<std::size_t>(std::min(place, last))]];
        const Plan &plan = planner_.plan_for(view.size, view.bits());
        feed_.fill(read(view), plan, {0, 0, padded}, buffers.input, place);
    }
    run();
    for (std::size_t place = 0; place < chosen.size(); ++place) {
        const View &view = rainy[chosen[place]];
        const Plan &plan = planner_.plan_for(view.size, view.bits());
        clean_rgb_.resize(std::max(clean_rgb_.size(), bytes_of(view)));
        feed_.take(buffers.output, plan, static_cast<int64_t>(place), view.bits(),
                   clean_rgb_.data());
        write_rgb(clean_rgb_.data(), view, clean[chosen[place]]);
    }
}

bool Runtime::all_whole(const std::vector<View> &images) {
    bool whole = true;
    for (const View &view : images) {  // all of them: a size that cannot be derained throws here
        const Plan &plan = planner_.plan_for(view.size, view.bits());
        whole = whole && !plan.tiling && !plan.enlarged;
    }
    return whole;
}

std::size_t Runtime::most_together(Size padded) const {
    const int64_t by_pixels = most_batch_pixels / (int64_t{padded[0]} * padded[1]);
    const int32_t limit = model_.most_images();
    const int64_t by_model = limit ? limit : static_cast<int64_t>(most_in_batch);
    return static_cast<std::size_t>(std::max<int64_t>(1, std::min(by_pixels, by_model)));
}

void Runtime::warm_up(Size size) {
    const Turn turn(*this);
    const int32_t bits = model_.contract().takes_pixels() ? 8 : 16;
    std::vector<uint16_t> black(static_cast<std::size_t>(size[0]) *
                                static_cast<std::size_t>(size[1]) * channels);
    View view;
    view.format = bits == 8 ? DRS_RGB8 : DRS_RGB16;
    view.size = size;
    view.data = reinterpret_cast<uint8_t *>(black.data());
    view.stride = static_cast<std::size_t>(size[1]) * channels * static_cast<std::size_t>(bits / 8);
    derain_one(view, view, nullptr);
}

void Runtime::fill_info(drs_info &info) const {  // of what never changes: without a turn
    info.is_engine = model_.is_engine() ? 1 : 0;
    info.takes_pixels = model_.contract().takes_pixels() ? 1 : 0;
    info.least_height = model_.limits().least[0];
    info.least_width = model_.limits().least[1];
    info.most_height = model_.limits().most[0];
    info.most_width = model_.limits().most[1];
    info.most_images = model_.most_images();
    model_.provider().copy(info.provider, sizeof info.provider - 1);
    std::string(dtype_text(model_.contract().dtype)).copy(info.dtype, sizeof info.dtype - 1);
}

void Runtime::fill_plan(Size size, drs_plan &plan) {
    const Turn turn(*this);
    const Plan &found = planner_.plan_for(size, 8);
    const bool one_tile =
        found.tiling && found.rows.starts.size() * found.columns.starts.size() == 1;
    plan.reason = one_tile ? int32_t{DRS_WHOLE} : found.reason;
    plan.tile_height = found.input()[0];
    plan.tile_width = found.input()[1];
    plan.rows = found.tiling ? static_cast<int32_t>(found.rows.starts.size()) : 1;
    plan.columns = found.tiling ? static_cast<int32_t>(found.columns.starts.size()) : 1;
}

void Runtime::fill_timings(drs_timings &timings) const {
    const std::lock_guard lock(timings_mutex_);
    timings.runs = timings_.runs;
    timings.total_seconds = timings_.total_seconds;
    timings.backend_seconds = timings_.backend_seconds;
}

void Runtime::run_on_device(const void *input, void *output, int32_t images, Size size,
                            void *stream) {
    const Turn turn(*this);
    model_.run_on_device(input, output, input_shape(model_.contract(), images, size[0], size[1]),
                         stream);
}

Rgb Runtime::read(const View &rainy) {
    const std::size_t bytes = bytes_of(rainy);
    rainy_rgb_.resize(std::max(rainy_rgb_.size(), bytes));
    clean_rgb_.resize(std::max(clean_rgb_.size(), bytes));
    read_rgb(rainy, rainy_rgb_.data());
    return {rainy_rgb_.data(), rainy.size, rainy.bits()};
}

// Fills every place of the input: a model of a fixed batch gets the image several times.
void Runtime::fill_all(const Rgb &image, const Plan &plan, const Part &part,
                       const Model::Buffers &buffers) {
    for (int64_t place = 0; place < buffers.images; ++place) {
        feed_.fill(image, plan, part, buffers.input, place);
    }
}

void Runtime::run() {
    model_.run();
    ++runs_;
    if (cancelled_) throw Failure(DRS_CANCELLED, "the call was cancelled");
}

void Runtime::check_bits(const View &rainy) const {
    if (!model_.contract().takes_pixels() || rainy.bits() == 8) return;
    throw Failure(DRS_SHAPE_ERROR,
                  "an image has uint16 samples, and the model takes 8-bit pixels (--io uint8); use "
                  "one exported with --io float32, or an 8-bit image");
}

void Runtime::report(const drs_call *call, int64_t done, int64_t total) {
    if (!call || !call->on_tile) return;
    const bool stop =
        call->on_tile(call->user, static_cast<int32_t>(done), static_cast<int32_t>(total)) != 0;
    if (stop || cancelled_) throw Failure(DRS_CANCELLED, "the call was cancelled");
}

void Runtime::say_once(const Plan &plan) {
    const bool by_the_model = plan.reason == DRS_TILES_MODEL;
    if (said_ || (!plan.enlarged && !by_the_model)) return;
    said_ = true;
    settings_.say(model_.path() + " takes " + model_.limits().text() +
                  ": smaller images are padded by reflection and cropped, larger ones cut into "
                  "tiles, which changes the result");
}

}  // namespace drsformer
