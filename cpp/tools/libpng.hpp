// What reading and writing with libpng share.
//
// libpng reports an error by a long jump. Functions that a jump may leave hold no object with a
// destructor; what they work on belongs to their callers.
#ifndef DRSFORMER_TOOLS_LIBPNG_HPP
#define DRSFORMER_TOOLS_LIBPNG_HPP

#include <png.h>

#include <vector>

#include "picture.hpp"

namespace drsformer::tool {

constexpr png_uint_32 most_png_side = 0x7fffffff;

[[noreturn]] inline void on_png_error(png_structp png, png_const_charp) {
    png_longjmp(png, 1);
}

inline void on_png_warning(png_structp, png_const_charp) {}

// Where each row begins, as libpng wants to know it.
inline std::vector<png_bytep> rows_of(Bytes &pixels, std::size_t height) {
    std::vector<png_bytep> rows(height);
    for (std::size_t row = 0; row < height; ++row) {
        rows[row] = pixels.data() + row * (pixels.size() / height);
    }
    return rows;
}

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_LIBPNG_HPP
