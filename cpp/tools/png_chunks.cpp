#include "png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "failure.hpp"

namespace drsformer::tool {
namespace {

using Name = std::string_view;

constexpr std::size_t signature_size = 8;
// They stay true when the pixels change. Not among them: transparent colours and palettes, which
// become pixels; histograms; the time of the last change.
constexpr std::array<Name, 14> kept_names = {"iCCP", "sRGB", "gAMA", "cHRM", "cICP",
                                             "mDCV", "cLLI", "mDCv", "cLLi", "pHYs",
                                             "eXIf", "tEXt", "zTXt", "iTXt"};

struct Chunk {
    Name name;
    const std::uint8_t *data = nullptr;
    std::size_t size = 0;
};

std::uint32_t big_endian(const std::uint8_t *bytes) {
    return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
           static_cast<std::uint32_t>(bytes[2]) << 8 | static_cast<std::uint32_t>(bytes[3]);
}

// Returns the chunk at a place and moves the place behind it.
Chunk next_chunk(const Bytes &file, std::size_t &place, const std::string &path) {
    constexpr std::size_t around = 12;  // length and name before the data, check sum behind
    if (file.size() - place < around || big_endian(&file[place]) > file.size() - place - around) {
        throw Failure(damaged_png(path));
    }
    const std::size_t size = big_endian(&file[place]);
    const std::uint8_t *name = &file[place + 4];
    const auto sum = crc32_z(0, name, size + 4);
    if (sum != big_endian(name + 4 + size)) {
        throw Failure(damaged_png(path));
    }
    place += around + size;
    return {Name(reinterpret_cast<const char *>(name), 4), name + 4, size};
}

bool is_kept(Name name) {
    return std::find(kept_names.begin(), kept_names.end(), name) != kept_names.end();
}

}  // namespace

std::vector<PngChunk> kept_png_chunks(const Bytes &file, const std::string &path) {
    std::vector<PngChunk> kept;
    std::size_t place = signature_size;
    for (Chunk chunk; chunk.name != "IEND";) {
        chunk = next_chunk(file, place, path);
        if (chunk.name == "acTL") {
            throw Failure(path + ": an animated PNG; save its frames as separate files");
        }
        if (is_kept(chunk.name)) {
            kept.push_back({std::string(chunk.name), Bytes(chunk.data, chunk.data + chunk.size)});
        }
    }
    return kept;
}

std::string damaged_png(const std::string &path) {
    return path + ": a damaged or cut-off PNG file; copy it again from its source";
}

}  // namespace drsformer::tool
