// Derains picture files.
#ifndef DRSFORMER_TOOLS_DERAIN_FILES_HPP
#define DRSFORMER_TOOLS_DERAIN_FILES_HPP

#include "interrupts.hpp"
#include "options.hpp"

namespace drsformer::tool {

// Derains the inputs and returns the exit code: 1 where one of them failed.
int derain_files(const Options &options, Interrupts &interrupts);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_DERAIN_FILES_HPP
