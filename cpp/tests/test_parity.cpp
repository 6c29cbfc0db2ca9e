// C++ gives the values that Python gave, all of them: derains what make_parity_data.py wrote.
//
//     test_parity FOLDER [--ort-library PATH] [--provider NAME] [--table FILE]
//
// The modules are found by DRSFORMER_MODULES. PATH is the ONNX Runtime that Python ran, since
// another version may sum in another order. The table is Markdown, for docs/cpp.md.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "drsformer/derainer.h"

namespace {

using nlohmann::json;
using Bytes = std::vector<unsigned char>;

struct Arguments {
    std::string folder;
    std::string ort_library;
    std::string provider;  // "" for all
    std::string table;
    std::string most_pixels;  // of an image that is derained; "" for any
};

// What was compared of a library and a type of model.
struct Count {
    std::size_t images = 0;
    std::size_t values = 0;
    std::size_t differing = 0;
};

// How an image lies in memory.
struct Layout {
    const char *name;
    int32_t format;  // of 8 bits
    std::size_t samples;
    std::size_t order[3];  // where red, green and blue are
    std::size_t gap;       // bytes between rows
    bool in_place;
};

constexpr Layout plain = {"RGB", DRS_RGB8, 3, {0, 1, 2}, 0, false};
constexpr Layout others[] = {
    {"BGR", DRS_BGR8, 3, {2, 1, 0}, 0, false},
    {"RGBA with gaps", DRS_RGBA8, 4, {0, 1, 2}, 14, false},
    {"BGRA with gaps, in place", DRS_BGRA8, 4, {2, 1, 0}, 6, true},
    {"RGB in place", DRS_RGB8, 3, {0, 1, 2}, 0, true},
};
constexpr unsigned char filler = 0x5A;  // of alpha and gaps

struct Close {
    void operator()(drs_derainer *derainer) const { drs_close(derainer); }
};
using Derainer = std::unique_ptr<drs_derainer, Close>;

// A picture of the index, and its sizes.
struct Picture {
    int32_t width;
    int32_t height;
    std::size_t bytes;  // of a sample

    explicit Picture(const json &given)
        : width(given["width"]), height(given["height"]), bytes(given["bits"] == 16 ? 2 : 1) {}

    std::size_t pixels() const {
        return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    }
    std::size_t stride(const Layout &layout) const {
        return static_cast<std::size_t>(width) * layout.samples * bytes + layout.gap;
    }
    // Where sample `sample` of pixel number `pixel` begins.
    std::size_t at(const Layout &layout, std::size_t pixel, std::size_t sample) const {
        const auto row = pixel / static_cast<std::size_t>(width);
        const auto column = pixel % static_cast<std::size_t>(width);
        return row * stride(layout) + (column * layout.samples + sample) * bytes;
    }
    drs_image view(Bytes &data, const Layout &layout) const {
        const int32_t format = layout.format + (bytes == 2 ? DRS_RGB16 - DRS_RGB8 : 0);
        drs_image image = drs_image_of(data.data(), width, height, format);
        image.stride = layout.gap ? stride(layout) : 0;
        return image;
    }
};

Bytes read(const Arguments &arguments, const std::string &name, std::size_t size) {
    std::ifstream stream(arguments.folder + "/" + name, std::ios::binary);
    Bytes bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (bytes.size() != size) throw std::runtime_error(name + " is missing or has another size");
    return bytes;
}

// Lays out pixels of RGB without gaps.
Bytes laid_out(const Bytes &rgb, const Picture &picture, const Layout &layout) {
    Bytes data(picture.stride(layout) * static_cast<std::size_t>(picture.height), filler);
    for (std::size_t pixel = 0; pixel < picture.pixels(); ++pixel) {
        for (std::size_t channel = 0; channel < 3; ++channel) {
            std::memcpy(&data[picture.at(layout, pixel, layout.order[channel])],
                        &rgb[picture.at(plain, pixel, channel)], picture.bytes);
        }
    }
    return data;
}

std::size_t differing(const Bytes &found, const Bytes &expected, std::size_t bytes) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < expected.size(); at += bytes) {
        count += std::memcmp(&found[at], &expected[at], bytes) != 0;
    }
    return count;
}

Derainer opened(const Arguments &arguments, const json &group, int32_t threads) {
    const std::string model = arguments.folder + "/" + group["model"].get<std::string>();
    const std::string provider = group["provider"];
    drs_options options = DRS_OPTIONS_INIT;
    options.threads = threads;
    options.provider = provider.c_str();
    options.tile = group["tile"];
    options.overlap = group["overlap"] == 0 ? -1 : group["overlap"].get<int32_t>();
    options.blend = group["blend"] == "feather" ? DRS_BLEND_FEATHER : DRS_BLEND_UNIFORM;
    if (provider == "cpu" && !arguments.ort_library.empty()) {
        options.onnxruntime_library = arguments.ort_library.c_str();
    }
    drs_derainer *derainer = nullptr;
    drs_error error = DRS_ERROR_INIT;
    if (drs_open(model.c_str(), &options, &derainer, &error) != DRS_OK) {
        throw std::runtime_error(error.message);
    }
    return Derainer(derainer);
}

// Derains a picture in one layout; returns how many values differ. The alpha and the gaps count,
// since they must stay as they were.
std::size_t compare(drs_derainer *derainer, const Picture &picture, const Bytes &rainy,
                    const Bytes &expected, const Layout &layout) {
    Bytes input = laid_out(rainy, picture, layout);
    Bytes output(input.size(), filler);
    Bytes &result = layout.in_place ? input : output;
    const drs_image from = picture.view(input, layout);
    const drs_image to = picture.view(result, layout);
    drs_error error = DRS_ERROR_INIT;
    if (drs_derain(derainer, &from, &to, nullptr, &error) != DRS_OK) {
        throw std::runtime_error(error.message);
    }
    return differing(result, laid_out(expected, picture, layout), picture.bytes);
}

std::string title(const json &group, const json &each, const char *layout) {
    const int tile = group["tile"];
    const std::string blend = group["blend"].get<std::string>();
    const std::string tiles = tile > 0 ? "tiles of " + std::to_string(tile) + ", " + blend
                                       : (tile == 0 ? "as it takes, " + blend : "whole");
    return group["model"].get<std::string>() + " " + group["provider"].get<std::string>() + " " +
           each["height"].dump() + "x" + each["width"].dump() + ", " + each["bits"].dump() +
           " bits, " + tiles + ", " + layout;
}

void derain_case(const Arguments &arguments, const json &group, const json &each,
                 drs_derainer *derainer, Count &count) {
    const Picture picture(each);
    const std::size_t size = picture.pixels() * 3 * picture.bytes;
    const Bytes rainy = read(arguments, each["rainy"], size);
    const Bytes expected = read(arguments, each["expected"], size);
    std::vector<Layout> layouts = {plain};
    if (each["formats"]) layouts.insert(layouts.end(), std::begin(others), std::end(others));
    for (const Layout &layout : layouts) {
        const std::size_t differ = compare(derainer, picture, rainy, expected, layout);
        std::printf("%s: %zu values, %zu differ\n", title(group, each, layout.name).c_str(),
                    picture.pixels() * 3, differ);
        count.images += 1;
        count.values += picture.pixels() * 3;
        count.differing += differ;
    }
}

// Whether an image is refused, for the reason that Python gives.
bool refused(const Arguments &arguments, const json &each, int32_t threads) {
    const Picture picture(each);
    Bytes rainy = read(arguments, each["rainy"], picture.pixels() * 3 * picture.bytes);
    const Bytes before = rainy;
    const drs_image image = picture.view(rainy, plain);
    const Derainer derainer = opened(arguments, each, threads);
    drs_error error = DRS_ERROR_INIT;
    const drs_status status = drs_derain(derainer.get(), &image, &image, nullptr, &error);
    const std::string reason = each["reason"];
    const bool right = status == DRS_SHAPE_ERROR && rainy == before &&
                       std::string(error.message).find(reason) != std::string::npos;
    std::printf("refusal%s: status %d, \"%s\"; expected \"%s\"\n", right ? "" : " IS WRONG", status,
                error.message, reason.c_str());
    return right;
}

using Counts = std::map<std::pair<std::string, std::string>, Count>;

std::string table(const json &index, const Counts &counts) {
    const std::map<std::string, std::string> names = {{"cpu", "ONNX Runtime"},
                                                      {"openvino", "OpenVINO"}};
    std::string text =
        "| Backend | Model's input | Images | Values compared | Differing values |\n"
        "|---|---|---:|---:|---:|\n";
    for (const auto &[key, count] : counts) {
        const auto &[provider, io] = key;
        text += "| " + names.at(provider) + " " + index["versions"][provider].get<std::string>() +
                ", CPU | " + io + " | " + std::to_string(count.images) + " | " +
                std::to_string(count.values) + " | " + std::to_string(count.differing) + " |\n";
    }
    return text;
}

Arguments arguments_of(int argc, char **argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        std::string &value = name == "--ort-library"   ? arguments.ort_library
                             : name == "--provider"    ? arguments.provider
                             : name == "--table"       ? arguments.table
                             : name == "--most-pixels" ? arguments.most_pixels
                                                       : arguments.folder;
        const bool option = &value != &arguments.folder;
        if (option && i + 1 == argc) throw std::runtime_error(name + " needs a value");
        value = option ? argv[++i] : name;
    }
    if (arguments.folder.empty()) throw std::runtime_error("give the folder of the data");
    return arguments;
}

// Derains everything; returns whether all values and refusals are Python's.
bool run(const Arguments &arguments) {
    std::ifstream stream(arguments.folder + "/parity.json");
    if (!stream) throw std::runtime_error("no parity.json in the folder; run make_parity_data.py");
    const json index = json::parse(stream);
    const int32_t threads = index["threads"];
    const std::size_t most_pixels =
        arguments.most_pixels.empty() ? SIZE_MAX : std::stoul(arguments.most_pixels);
    const auto wanted = [&](const json &each) {
        return arguments.provider.empty() || each["provider"] == arguments.provider;
    };
    Counts counts;
    for (const json &group : index["groups"]) {
        if (!wanted(group)) continue;
        const Derainer derainer = opened(arguments, group, threads);
        Count &count = counts[{group["provider"], group["io"]}];
        for (const json &each : group["cases"]) {
            if (Picture(each).pixels() > most_pixels) continue;
            derain_case(arguments, group, each, derainer.get(), count);
        }
    }
    if (counts.empty()) throw std::runtime_error("Python had no such backend to compare with");
    bool right = true;
    for (const json &each : index["refusals"]) {
        if (wanted(each)) right = refused(arguments, each, threads) && right;
    }
    for (const auto &[key, count] : counts) right = right && count.differing == 0;
    std::printf("\n%s", table(index, counts).c_str());
    if (!arguments.table.empty()) std::ofstream(arguments.table) << table(index, counts);
    return right;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(arguments_of(argc, argv)) ? 0 : 1;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "test_parity: %s\n", error.what());
        return 2;
    }
}
