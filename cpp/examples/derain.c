/* Derains a picture in plain C:  derain_c MODEL rainy.ppm clean.ppm */
#include <stdio.h>
#include <stdlib.h>

#include "drsformer/derainer.h"

/* Reads a binary PPM file of 8 bits without comments; NULL where it is none. */
static unsigned char *read_ppm(const char *path, int *width, int *height) {
    FILE *file = fopen(path, "rb");
    unsigned char *pixels = NULL;
    if (file != NULL && fscanf(file, "P6 %5d %5d 255", width, height) == 2 && fgetc(file) != EOF &&
        *width > 0 && *height > 0) {
        const size_t size = (size_t)*width * (size_t)*height * 3;
        pixels = malloc(size);
        if (pixels != NULL && fread(pixels, 1, size, file) != size) {
            free(pixels);
            pixels = NULL;
        }
    }
    if (file != NULL) fclose(file);
    return pixels;
}

static int write_ppm(const char *path, const unsigned char *pixels, int width, int height) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) return 0;
    fprintf(file, "P6\n%d %d\n255\n", width, height);
    fwrite(pixels, 3, (size_t)width * (size_t)height, file);
    return fclose(file) == 0;
}

int main(int count, char **arguments) {
    int width = 0, height = 0;
    unsigned char *pixels = count == 4 ? read_ppm(arguments[2], &width, &height) : NULL;
    if (pixels == NULL) {
        fprintf(stderr, "usage: derain_c MODEL rainy.ppm clean.ppm, binary PPM of 8 bits\n");
        return 2;
    }
    drs_derainer *derainer = NULL;
    drs_error error = DRS_ERROR_INIT;
    drs_image image = drs_image_of(pixels, width, height, DRS_RGB8);
    int failed = drs_open(arguments[1], NULL, &derainer, &error) != DRS_OK ||
                 drs_derain(derainer, &image, &image, NULL, &error) != DRS_OK;
    if (failed)
        fprintf(stderr, "%s\n", error.message);
    else
        failed = !write_ppm(arguments[3], pixels, width, height);
    drs_close(derainer);
    free(pixels);
    return failed;
}
