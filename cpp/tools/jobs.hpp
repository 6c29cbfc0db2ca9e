// Lists which file becomes which, before any work is done.
#ifndef DRSFORMER_TOOLS_JOBS_HPP
#define DRSFORMER_TOOLS_JOBS_HPP

#include <string>
#include <vector>

#include "options.hpp"

namespace drsformer::tool {

struct Job {
    std::string source;
    std::string target;
    bool target_is_named;  // by the user, so that its ending says the format
};

// Lists the work in a fixed order; throws Failure for a list that cannot be done.
std::vector<Job> jobs_from(const Options &options);

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_JOBS_HPP
