// Keeps what a backend prepares for an input shape, for the next input of that shape.
//
// A library that knows the sizes plans better: it fuses more and lays tensors out once. Tiles have
// one shape, a video has one, a folder of photos mostly has two; so the last few are kept.
// runtime/backends/shape_cache.py is the same in Python.
#ifndef DRSFORMER_BACKENDS_SHAPE_CACHE_HPP
#define DRSFORMER_BACKENDS_SHAPE_CACHE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "shape.hpp"

namespace drsformer::backend {

constexpr std::size_t shapes_kept = 2;  // each has its own copy of the weights
// Each also keeps the memory of its last run, up to 6 KB a pixel: beside a large frame none is.
constexpr std::int64_t pixels_kept = 400'000;

// An input shape, and whether it is run in the way that takes less memory.
struct ShapeKey {
    Shape shape;
    bool as_large;

    bool operator==(const ShapeKey &other) const noexcept {
        return shape == other.shape && as_large == other.as_large;
    }
};

template <typename T>
class ShapeCache {
  public:
    ShapeCache() { kept_.reserve(shapes_kept); }

    // Returns what belongs to a shape; a new one, which make() gives as a unique_ptr, replaces
    // those used longest ago. Whatever is returned stays until the next call.
    template <typename Make>
    T &get(const ShapeKey &key, Make make) {
        auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&key](const Entry &entry) { return entry.first == key; });
        if (found == kept_.end()) {
            make_room(key.shape);
            kept_.emplace_back(key, make());
        } else {
            std::rotate(found, found + 1, kept_.end());
        }
        return *kept_.back().second;
    }

    void clear() noexcept { kept_.clear(); }

  private:
    using Entry = std::pair<ShapeKey, std::unique_ptr<T>>;

    void make_room(const Shape &shape) {
        while (!kept_.empty() && !has_room(shape)) kept_.erase(kept_.begin());
    }

    bool has_room(const Shape &shape) const noexcept {
        auto pixels = pixels_of(shape);
        for (const auto &entry : kept_) pixels += pixels_of(entry.first.shape);
        return kept_.size() < shapes_kept && pixels <= pixels_kept;
    }

    std::vector<Entry> kept_;  // used longest ago first
};

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_SHAPE_CACHE_HPP
