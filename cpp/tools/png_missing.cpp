// Stands for png.cpp where libpng was not found when the program was built.
#include "failure.hpp"
#include "png.hpp"

namespace drsformer::tool {
namespace {

[[noreturn]] void refuse(const std::string &path) {
    throw Failure(path +
                  ": this drs-derain was built without libpng and reads and writes PPM and PGM "
                  "only; install libpng's development files and build it again");
}

}  // namespace

bool knows_png() {
    return false;
}

Picture picture_from_png(const Bytes &, const std::string &path) {
    refuse(path);
}

Bytes png_from_picture(const Picture &, const std::string &path) {
    refuse(path);
}

}  // namespace drsformer::tool
