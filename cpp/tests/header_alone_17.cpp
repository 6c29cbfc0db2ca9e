#include "drsformer/derainer.hpp"

int32_t format_of_header_alone_17();

int32_t format_of_header_alone_17() {
    return drsformer::ImageView(nullptr, 1, 1, DRS_RGB8).image.format;
}
