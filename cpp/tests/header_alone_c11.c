#include "drsformer/derainer.h"

int32_t format_of_header_alone(void);

int32_t format_of_header_alone(void) {
    return drs_image_of(NULL, 1, 1, DRS_RGB8).format;
}
