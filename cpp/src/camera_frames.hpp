// Camera frames of Y, U and V to RGB and back.
//
// A value of U and V belongs to two pixels of a row (YUYV) or to two by two (NV12): reading repeats
// it, writing takes their mean. The arithmetic is that of whole numbers in 16 fractional bits, so
// it has the same result on every processor.
#ifndef DRSFORMER_CAMERA_FRAMES_HPP
#define DRSFORMER_CAMERA_FRAMES_HPP

#include "pixels.hpp"

namespace drsformer {

// Reads a frame as RGB rows without gaps.
void read_frame(const View &view, uint8_t *rgb);

// Writes RGB rows as a frame.
void write_frame(const uint8_t *rgb, View &view);

}  // namespace drsformer

#endif  // DRSFORMER_CAMERA_FRAMES_HPP
