#include <drsformer/derainer.hpp>
#include <iostream>

int main(int count, char **arguments) {
    std::cout << "drsformer " << drs_version() << '\n';
    if (count < 2) return 0;
    unsigned char pixels[8 * 8 * 3] = {};
    drsformer::Derainer(arguments[1]).derain({pixels, 8, 8, DRS_RGB8});
    std::cout << "derained 8x8 pixels\n";
}
