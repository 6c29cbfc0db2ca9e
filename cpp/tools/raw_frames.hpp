// Derains raw frames that come through a pipe.
#ifndef DRSFORMER_TOOLS_RAW_FRAMES_HPP
#define DRSFORMER_TOOLS_RAW_FRAMES_HPP

#include "interrupts.hpp"
#include "options.hpp"

namespace drsformer::tool {

// Derains frames of the standard input until it ends. Throws Failure where it ends in a frame.
void derain_raw_frames(const Options &options, Interrupts &interrupts);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_RAW_FRAMES_HPP
