#include "formats.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "failure.hpp"

namespace drsformer::tool {
namespace {

using std::string_view;
using namespace std::string_view_literals;

constexpr string_view png_start = "\x89PNG\r\n\x1a\n"sv;
constexpr string_view read_elsewhere =
    "convert it to PNG, or use `drs-export run`, which reads it"sv;
constexpr string_view read_nowhere = "convert it to PNG"sv;
constexpr string_view video = "pipe its frames through --raw, or use `drs-export run`"sv;

struct Known {
    std::size_t place;
    string_view start;
    string_view name;
    string_view advice;
};

constexpr std::array known_formats = {
    Known{0, "\xff\xd8\xff"sv, "a JPEG file"sv, read_elsewhere},
    Known{8, "WEBP"sv, "a WebP file"sv, read_elsewhere},
    Known{0, "II*\0"sv, "a TIFF file"sv, read_elsewhere},
    Known{0, "MM\0*"sv, "a TIFF file"sv, read_elsewhere},
    Known{0, "BM"sv, "a BMP file"sv, read_elsewhere},
    Known{0, "GIF8"sv, "a GIF file"sv, read_nowhere},
    Known{4, "ftypavif"sv, "an AVIF file"sv, read_nowhere},
    Known{4, "ftyphei"sv, "a HEIC file"sv, read_nowhere},
    Known{4, "ftypmif1"sv, "a HEIF file"sv, read_nowhere},
    Known{4, "ftyp"sv, "an MP4 or MOV video"sv, video},
    Known{0, "\x1a\x45\xdf\xa3"sv, "a Matroska or WebM video"sv, video},
    Known{8, "AVI "sv, "an AVI video"sv, video},
    Known{0, "\xff\x0a"sv, "a JPEG XL file"sv, read_nowhere},
    Known{4, "JXL "sv, "a JPEG XL file"sv, read_nowhere},
    Known{4, "jP  "sv, "a JPEG 2000 file"sv, read_nowhere},
    Known{0, "8BPS"sv, "a Photoshop file"sv, read_nowhere},
    Known{0, "\x76\x2f\x31\x01"sv, "an OpenEXR file"sv, read_nowhere},
    Known{0, "\x8aMNG"sv, "an MNG animation"sv, read_nowhere},
};

// after P and before a white space
constexpr string_view read_pnm = "56"sv;
constexpr string_view other_pnm = "12347fF"sv;

constexpr std::array media_endings = {
    ".png"sv,  ".apng"sv, ".ppm"sv, ".pgm"sv,  ".pnm"sv, ".pbm"sv, ".pam"sv,  ".pfm"sv,  ".jpg"sv,
    ".jpeg"sv, ".webp"sv, ".tif"sv, ".tiff"sv, ".bmp"sv, ".gif"sv, ".heic"sv, ".heif"sv, ".avif"sv,
    ".jxl"sv,  ".jp2"sv,  ".svg"sv, ".psd"sv,  ".exr"sv, ".hdr"sv, ".dng"sv,  ".cr2"sv,  ".cr3"sv,
    ".nef"sv,  ".arw"sv,  ".mp4"sv, ".mov"sv,  ".m4v"sv, ".avi"sv, ".mkv"sv,  ".webm"sv,
};

bool has_at(const Bytes &file, std::size_t place, string_view text) {
    return file.size() >= place + text.size() &&
           std::memcmp(file.data() + place, text.data(), text.size()) == 0;
}

bool is_pnm(const Bytes &file, string_view kinds) {
    return file.size() > 2 && file[0] == 'P' &&
           kinds.find(static_cast<char>(file[1])) != string_view::npos &&
           (std::isspace(file[2]) != 0 || file[2] == '#');
}

const Known *known_format(const Bytes &file) {
    const auto found =
        std::find_if(known_formats.begin(), known_formats.end(),
                     [&](const Known &one) { return has_at(file, one.place, one.start); });
    return found == known_formats.end() ? nullptr : &*found;
}

std::string ending_of(const std::string &path) {
    std::string ending = std::filesystem::path(path).extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return ending;
}

}  // namespace

bool looks_like_media(const Bytes &start, const std::string &path) {
    const std::string ending = ending_of(path);
    return has_at(start, 0, png_start) || is_pnm(start, read_pnm) || is_pnm(start, other_pnm) ||
           known_format(start) != nullptr ||
           std::find(media_endings.begin(), media_endings.end(), ending) != media_endings.end();
}

Format format_from_bytes(const Bytes &file, const std::string &path) {
    if (file.empty()) {
        throw Failure(path + ": the file is empty (0 bytes); copy it again from its source");
    }
    if (has_at(file, 0, png_start)) {
        return Format::png;
    }
    if (is_pnm(file, read_pnm)) {
        return Format::pnm;
    }
    if (is_pnm(file, other_pnm)) {
        throw Failure(path +
                      ": a text, bitmap, PAM or float kind of PNM; save it as a binary PPM "
                      "or PGM, or as PNG");
    }
    if (const Known *known = known_format(file)) {
        throw Failure(path + ": " + std::string(known->name) +
                      ", which drs-derain does not read; " + std::string(known->advice));
    }
    throw Failure(path + ": not a PNG, PPM or PGM image, whatever its name says; save it as PNG");
}

Format format_from_name(const std::string &path) {
    const std::string ending = ending_of(path);
    if (ending == ".png") {
        return Format::png;
    }
    if (ending == ".ppm" || ending == ".pgm" || ending == ".pnm") {
        return Format::pnm;
    }
    throw Failure(path + ": drs-derain writes no files that end in '" + ending +
                  "'; use .png, .ppm or .pgm, or name a folder");
}

}  // namespace drsformer::tool
