#include "drsformer/derainer.hpp"

int32_t format_of_header_alone_20();

int32_t format_of_header_alone_20() {
    return drsformer::ImageView(nullptr, 1, 1, DRS_RGB8).image.format;
}
