// Derains a picture in C++:  derain_cpp MODEL rainy.ppm clean.ppm
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "drsformer/derainer.hpp"

namespace {

struct Picture {
    int width = 0, height = 0;
    std::vector<char> pixels;  // 8-bit RGB
};

// Reads a binary PPM file of 8 bits without comments.
Picture read_ppm(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    Picture picture;
    int most = 0;
    file >> magic >> picture.width >> picture.height >> most;
    file.get();
    if (!file || magic != "P6" || most != 255 || picture.width < 1 || picture.height < 1) {
        throw std::runtime_error(path + ": not a binary PPM file of 8 bits");
    }
    picture.pixels.resize(std::size_t{3} * static_cast<unsigned>(picture.width) *
                          static_cast<unsigned>(picture.height));
    if (!file.read(picture.pixels.data(), static_cast<std::streamsize>(picture.pixels.size()))) {
        throw std::runtime_error(path + ": cut off");
    }
    return picture;
}

}  // namespace

int main(int count, char **arguments) try {
    if (count != 4) throw std::runtime_error("usage: derain_cpp MODEL rainy.ppm clean.ppm");
    drsformer::Derainer derainer(arguments[1]);
    Picture picture = read_ppm(arguments[2]);
    derainer.derain({picture.pixels.data(), picture.width, picture.height, DRS_RGB8});
    std::ofstream file(arguments[3], std::ios::binary);
    file << "P6\n" << picture.width << ' ' << picture.height << "\n255\n";
    file.write(picture.pixels.data(), static_cast<std::streamsize>(picture.pixels.size()));
    return file.flush() ? 0 : 1;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
