// The opened model as this command uses it.
#ifndef DRSFORMER_TOOLS_MODEL_HPP
#define DRSFORMER_TOOLS_MODEL_HPP

#include <string>

#include "drsformer/derainer.hpp"
#include "interrupts.hpp"
#include "options.hpp"

namespace drsformer::tool {

class Model {
  public:
    // Opens the model; throws Error. An interrupt cancels what it does from now on.
    Model(const Options &options, Interrupts &interrupts);
    ~Model();
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    // Derains an image in place. `name` is what the user calls it. Throws Failure, Interrupted.
    void derain(const ImageView &image, const std::string &name);

    // What runs the model: "an ONNX file of float32 on cpu".
    std::string description() const;

    // A line about the time of the last image.
    std::string timings() const;

  private:
    Interrupts &interrupts_;
    Derainer derainer_;
};

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_MODEL_HPP
