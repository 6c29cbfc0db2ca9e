// Any two image structs at the entry points. Whatever the library accepts lies in a buffer of just
// the bytes that the struct describes, so that one byte too many is found.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "drsformer/derainer.h"

namespace {

// Gives numbers out of the fuzzer's bytes; zeros when they are used up.
class Source {
  public:
    Source(const uint8_t *data, std::size_t size) : data_(data), size_(size) {}

    template <typename Number>
    Number take() {
        Number number = 0;
        const std::size_t count = std::min(sizeof number, size_);
        if (count) std::memcpy(&number, data_, count);
        data_ += count;
        size_ -= count;
        return number;
    }

  private:
    const uint8_t *data_;
    std::size_t size_;
};

struct Buffer {
    drs_image image = {};
    std::vector<uint8_t> pixels;
    std::vector<uint8_t> chroma;
};

// Returns the bytes of a pixel in a row of the first plane; 1 for what is no format.
std::size_t bytes_of_pixel(int32_t format) {
    constexpr std::size_t bytes[] = {1, 3, 3, 4, 4, 1, 6, 6, 8, 8, 2, 2, 1};
    return format >= DRS_RGB8 && format <= DRS_NV12 ? bytes[format] : 1;
}

// Makes a struct of small or of hostile numbers, and the memory that it describes.
void fill(Source &source, Buffer &buffer) {
    drs_image &image = buffer.image;
    const auto kind = source.take<uint8_t>();
    // few sizes and formats, so that two images often are of one size
    const auto width = source.take<uint8_t>();
    const auto height_number = source.take<uint8_t>();
    image = drs_image_of(nullptr, width % 3 ? 24 : width % 40,
                         height_number % 3 ? 18 : height_number % 40, source.take<uint8_t>() % 14);
    image.matrix = source.take<uint8_t>() % 4;
    image.range = source.take<uint8_t>() % 3;
    const std::size_t row = static_cast<std::size_t>(image.width) * bytes_of_pixel(image.format);
    image.stride = kind & 1 ? row + source.take<uint8_t>() % 9 : 0;
    const std::size_t stride = image.stride ? image.stride : row;
    const auto height = static_cast<std::size_t>(image.height);
    const bool one_plane = image.format != DRS_NV12 || (kind & 2) != 0;
    std::size_t bytes = height ? (height - 1) * stride + row : 0;
    if (image.format == DRS_NV12 && !one_plane) bytes = height * stride + height / 2 * stride;
    buffer.pixels.assign(bytes, 7);
    buffer.pixels.shrink_to_fit();
    image.data = buffer.pixels.data();
    if (image.format == DRS_NV12 && one_plane) {
        buffer.chroma.assign(height / 2 * stride, 9);
        image.chroma = buffer.chroma.data();
    }
    if ((kind & 12) == 12) image.struct_size = source.take<uint32_t>();
}

// Changes a field so that no memory can hold the image: it has to be refused.
void make_hostile(Source &source, drs_image &image) {
    switch (source.take<uint8_t>() % 4) {
        case 0:
            image.width = source.take<int32_t>() | (1 << 30);
            break;
        case 1:
            image.height = -(source.take<int32_t>() & 0xFFFF);
            break;
        case 2:
            image.stride = SIZE_MAX - source.take<uint16_t>();
            image.height = std::max(image.height, 3);
            break;
        default:
            image.data = nullptr;
    }
}

drs_derainer *opened() {
    const auto path = std::filesystem::temp_directory_path() / "drsformer_fuzzed.onnx";
    std::ofstream(path) << "dtype float32";
    drs_options options = DRS_OPTIONS_INIT;
    options.modules = DRSFORMER_DOUBLE;
    options.tile = 16;
    options.overlap = 3;
    options.blend = DRS_BLEND_FEATHER;
    drs_derainer *derainer = nullptr;
    if (drs_open(path.c_str(), &options, &derainer, nullptr) != DRS_OK) std::abort();
    return derainer;
}

void expect(bool right) {
    if (!right) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
    static drs_derainer *const derainer = opened();
    Source source(data, size);
    Buffer rainy;
    Buffer clean;
    fill(source, rainy);
    fill(source, clean);
    const auto choice = source.take<uint8_t>();
    if (choice & 1) clean.image = rainy.image;  // in place
    const bool hostile = (choice & 12) == 12;
    if (hostile) make_hostile(source, rainy.image);
    drs_error error = DRS_ERROR_INIT;
    const drs_status status = drs_derain(derainer, &rainy.image, &clean.image, nullptr, &error);
    if (hostile) expect(status != DRS_OK);
    expect((status == DRS_OK) == (error.message[0] == '\0'));
    expect(status != DRS_INTERNAL_ERROR);
    return 0;
}
