// An opened model that derains images: everything behind a drs_derainer handle.
#ifndef DRSFORMER_RUNTIME_HPP
#define DRSFORMER_RUNTIME_HPP

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "blending.hpp"
#include "feed.hpp"
#include "model.hpp"
#include "pixels.hpp"
#include "plan.hpp"
#include "settings.hpp"

namespace drsformer {

// Several threads may use one; they wait for each other. Methods throw Failure.
class Runtime {
  public:
    Runtime(const std::string &path, Settings settings);

    void derain(const View &rainy, const View &clean, const drs_call *call);
    void derain_batch(const std::vector<View> &rainy, const std::vector<View> &clean,
                      const drs_call *call);
    void warm_up(Size size);
    void cancel() noexcept { cancelled_ = true; }
    void fill_info(drs_info &info) const;
    void fill_plan(Size size, drs_plan &plan);
    void fill_timings(drs_timings &timings) const;
    void run_on_device(const void *input, void *output, int32_t images, Size size, void *stream);

    // Whether this thread is in a call on this derainer already: in one of its callbacks.
    bool is_inside() const { return owner_ == std::this_thread::get_id(); }

    // Throws where it is: waiting for another call would never end.
    void check_not_inside() const;

  private:
    class Turn;
    class Watch;

    void derain_one(const View &rainy, const View &clean, const drs_call *call);
    void derain_whole(const Plan &plan, const Rgb &image);
    void derain_tiles(const Plan &plan, const Rgb &image, const drs_call *call);
    void add_tile(const Plan &plan, const Rgb &image, std::size_t row, std::size_t column);
    void take_rows(const Plan &plan, int32_t bits, std::size_t row);
    void derain_together(const std::vector<View> &rainy, const std::vector<View> &clean,
                         const std::vector<std::size_t> &chosen);
    bool all_whole(const std::vector<View> &images);
    std::size_t most_together(Size padded) const;

    Rgb read(const View &rainy);
    void fill_all(const Rgb &image, const Plan &plan, const Part &part,
                  const Model::Buffers &buffers);
    void run();
    void check_bits(const View &rainy) const;
    void report(const drs_call *call, int64_t done, int64_t total);
    void say_once(const Plan &plan);

    const Settings settings_;
    Model model_;
    Planner planner_;
    Feed feed_;
    FloatBand float_band_;
    PixelBand pixel_band_;
    std::vector<uint8_t> rainy_rgb_;  // RGB rows of the image, and of the result
    std::vector<uint8_t> clean_rgb_;
    std::mutex mutex_;
    std::atomic<std::thread::id> owner_{};  // of the mutex
    std::atomic<bool> cancelled_{false};
    bool said_ = false;
    int32_t runs_ = 0;  // of this turn
    mutable std::mutex timings_mutex_;
    drs_timings timings_ = {sizeof(drs_timings), 0, 0.0, 0.0};  // of the last images
};

}  // namespace drsformer

#endif  // DRSFORMER_RUNTIME_HPP
