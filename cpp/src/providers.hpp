// Which backend runs a model: chosen by what the file is and by the provider's name.
#ifndef DRSFORMER_PROVIDERS_HPP
#define DRSFORMER_PROVIDERS_HPP

#include <string>

#include "settings.hpp"

namespace drsformer {

// What will run a model.
struct Choice {
    std::string provider;  // the user's name of it
    std::string backend;   // the module's name
    std::string manifest;  // of an engine: the text of its checked manifest
};

// Chooses, and checks that the options fit. Throws Failure (DRS_MODEL_ERROR, DRS_ENGINE_ERROR or
// DRS_PROVIDER_ERROR).
Choice choice_for(const std::string &path, const Settings &settings);

}  // namespace drsformer

#endif  // DRSFORMER_PROVIDERS_HPP
