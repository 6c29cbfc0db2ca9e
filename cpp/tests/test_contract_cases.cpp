// The library keeps the contract as tests/data/contract_cases.json has it by example. Python's
// tests read the same file, whose sections say what their keys mean.
//
//     test_contract_cases CONTRACT_CASES.json
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "blending.hpp"
#include "check.hpp"
#include "contract.hpp"
#include "fitting.hpp"
#include "scaling.hpp"
#include "settings.hpp"
#include "tiling.hpp"

namespace {

using namespace drsformer;
using nlohmann::json;

// Whether a case came out as written; says which one did not.
bool same(const json &found, const json &expected, const json &of_case) {
    if (found == expected) return true;
    std::fprintf(stderr, "case %.200s\n  gave     %.300s\n  expected %.300s\n",
                 of_case.dump().c_str(), found.dump().c_str(), expected.dump().c_str());
    return false;
}

uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

float float_of(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t largest_of(const json &dtype) {
    return dtype == "uint8" ? 255 : 65535;
}

json unpacked(const json &runs) {
    json values = json::array();
    for (const json &run : runs) {
        for (int count = run[1]; count > 0; --count) values.push_back(run[0]);
    }
    return values;
}

Blend blend_of(const json &name) {
    return name == "feather" ? Blend::feather : Blend::uniform;
}

Tiling tiling_of(const json &given) {
    Tiling tiling{given["tile"], given["overlap"], blend_of(given["blend"])};
    if (given.contains("exact") && !given["exact"].is_null()) {
        tiling.exact = given["exact"].get<Size>();
    }
    return tiling;
}

void check_padding(const json &each) {
    const int32_t length = each["length"];
    CHECK(same(padded_length(length), each["padded"], each));
    CHECK(same(reflected_sources(length, each["padded"]), each["sources"], each));
}

void check_scaling(const json &each) {
    const uint16_t largest = largest_of(each["dtype"]);
    json floats;
    json halves;
    for (const uint16_t level : each["levels"]) {
        floats.push_back(bits_of(scaled(level, largest)));
        halves.push_back(half_from_float(scaled(level, largest)));
    }
    CHECK(same(floats, each["float32"], each));
    CHECK(same(halves, each["float16"], each));
}

void check_halves(const json &each) {
    json halves;
    json back;
    for (const uint32_t bits : each["float32"]) halves.push_back(half_from_float(float_of(bits)));
    for (const uint16_t half : each["float16"]) back.push_back(bits_of(float_from_half(half)));
    CHECK(same(halves, each["float16"], each));
    if (each["exact"]) CHECK(same(back, each["float32"], each));
}

void check_rounding(const json &each) {
    json levels;
    for (const uint32_t bits : each["float32"]) {
        levels.push_back(level_of(float_of(bits), largest_of(each["dtype"])));
    }
    CHECK(same(levels, each["levels"], each));
}

void check_axis(const Axis &axis, const json &expected) {
    CHECK(same(axis.side, expected["side"], expected));
    CHECK(same(axis.starts, expected["starts"], expected));
    CHECK(same(axis.total, unpacked(expected["total"]), expected));
    for (std::size_t tile = 0; tile < axis.starts.size(); ++tile) {
        const std::size_t kind = expected["window_of"][tile];
        CHECK(same(axis.window(tile), unpacked(expected["windows"][kind]), expected));
    }
}

void check_tiles(const json &each) {
    const Tiling tiling = tiling_of(each);
    check_tiling(tiling);
    const auto [rows, columns] = axes_of(tiling, each["height"], each["width"]);
    check_axis(rows, each["rows"]);
    check_axis(columns, each["columns"]);
}

void check_limits(const json &each) {
    const Limits limits{each["least"].get<Size>(), each["most"].get<Size>()};
    const Size size = limits.enlarged(each["image"].get<Size>());
    CHECK(same(size, each["enlarged"], each));
    const auto tiling = limits.tiling_for(size, each["overlap"], blend_of(each["blend"]));
    CHECK(tiling.has_value() == !each["tiling"].is_null());
    if (tiling && !each["tiling"].is_null()) CHECK(*tiling == tiling_of(each["tiling"]));
}

// The number from which a network's result is made up, as the file's comment defines it.
int64_t made_up(const json &coefficients, std::size_t tile, int32_t y, int32_t x, int channel) {
    const auto k = coefficients.get<std::array<int64_t, 5>>();
    return k[0] * static_cast<int64_t>(tile) + k[1] * y + k[2] * x + k[3] * channel + k[4];
}

// The output of a network that gives levels, (height, width, 3).
std::vector<uint8_t> pixels_of(const json &coefficients, std::size_t tile, const Size &size) {
    std::vector<uint8_t> output;
    for (int32_t y = 0; y < size[0]; ++y) {
        for (int32_t x = 0; x < size[1]; ++x) {
            for (int c = 0; c < channels; ++c) {
                output.push_back(static_cast<uint8_t>(made_up(coefficients, tile, y, x, c) % 256));
            }
        }
    }
    return output;
}

// The output of a network that gives floats, (3, height, width).
std::vector<float> floats_of(const json &coefficients, std::size_t tile, const Size &size) {
    std::vector<float> output;
    for (int c = 0; c < channels; ++c) {
        for (int32_t y = 0; y < size[0]; ++y) {
            for (int32_t x = 0; x < size[1]; ++x) {
                const int64_t whole = made_up(coefficients, tile, y, x, c) % 512 - 128;
                output.push_back(static_cast<float>(whole) / 255.0F);
            }
        }
    }
    return output;
}

// Joins the tiles of an image; returns its levels, (height, width, 3).
template <typename Level, typename Band, typename Network>
std::vector<Level> joined(const json &each, Band band, const Network &network) {
    const int32_t height = each["height"];
    const int32_t width = each["width"];
    const auto [rows, columns] =
        axes_of(tiling_of(each), padded_length(height), padded_length(width));
    std::vector<Level> levels(static_cast<std::size_t>(height * width * channels));
    band.begin(rows, columns);
    for (std::size_t row = 0; row < rows.starts.size(); ++row) {
        for (std::size_t column = 0; column < columns.starts.size(); ++column) {
            const std::size_t tile = row * columns.starts.size() + column;
            const auto output = network(each["coefficients"], tile, Size{rows.side, columns.side});
            band.add(output.data(), row, column);
        }
        const int32_t top = rows.starts[row];
        const int32_t bottom = std::min(rows.finished(row), height);
        band.take(top, bottom, width, levels.data() + top * width * channels);
    }
    return levels;
}

// Writes levels as the file does: a row a string.
template <typename Level>
json hexadecimal(const std::vector<Level> &levels, const json &width) {
    json rows = json::array();
    const std::size_t row = width.get<std::size_t>() * channels;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        if (i % row == 0) rows.push_back("");
        char digits[8];
        std::snprintf(digits, sizeof digits, "%0*x", static_cast<int>(2 * sizeof(Level)),
                      static_cast<unsigned>(levels[i]));
        rows.back().get_ref<std::string &>() += digits;
    }
    return rows;
}

void check_pixels(const json &each) {
    const auto levels = joined<uint8_t>(each, PixelBand(), pixels_of);
    CHECK(same(hexadecimal(levels, each["width"]), each["levels"], each));
}

void check_floats(const json &each) {
    const auto eight = joined<uint8_t>(each, FloatBand(), floats_of);
    CHECK(same(hexadecimal(eight, each["width"]), each["uint8"], each));
    const auto sixteen = joined<uint16_t>(each, FloatBand(), floats_of);
    CHECK(same(hexadecimal(sixteen, each["width"]), each["uint16"], each));
}

void check_contract(const json &each) {
    const Contract contract = contract_from_json(each["text"].get<std::string>(), "model.onnx");
    CHECK(same(dtype_text(contract.dtype), each["dtype"], each));
}

std::string repeated(const std::string &text, int times) {
    std::string all;
    for (; times > 0; --times) all += text;
    return all;
}

// Takes an option that has no name here: in C a blend is a number.
void settle_unknown_blend() {
    drs_options options = DRS_OPTIONS_INIT;
    options.blend = 7;
    settings_of(&options);
}

void check_refusal(const json &each) {
    const std::string kind = each["kind"];
    const std::string reason = each["reason"];
    if (kind == "contract") {
        const std::string text = repeated(each["text"], each["times"]);
        CHECK_FAILS(contract_from_json(text, "model.onnx"), DRS_MODEL_ERROR, reason);
    } else if (kind == "tiling" && each["blend"] != "uniform" && each["blend"] != "feather") {
        CHECK_FAILS(settle_unknown_blend(), DRS_SHAPE_ERROR, reason);
    } else if (kind == "tiling") {
        CHECK_FAILS(check_tiling(tiling_of(each)), DRS_SHAPE_ERROR, reason);
    } else if (kind == "layout") {
        CHECK_FAILS(axes_of(tiling_of(each), each["height"], each["width"]), DRS_SHAPE_ERROR,
                    reason);
    } else {
        CHECK(kind == "image");  // needs a model: test_parity does these
    }
}

void check_all(const json &file) {
    const std::pair<const char *, void (*)(const json &)> sections[] = {
        {"padding", check_padding},   {"scaling", check_scaling}, {"halves", check_halves},
        {"rounding", check_rounding}, {"tiles", check_tiles},     {"limits", check_limits},
        {"pixels", check_pixels},     {"floats", check_floats},   {"contracts", check_contract},
        {"refusals", check_refusal},
    };
    CHECK(file["format"] == "drs-export contract cases 2");
    CHECK(file.size() == std::size(sections) + 2);  // and the format and the comment
    for (const auto &[name, check] : sections) {
        const json &cases = file[name]["cases"];
        CHECK(!cases.empty());
        for (const json &each : cases) check(each);
        std::printf("%s: %zu cases\n", name, cases.size());
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: test_contract_cases CONTRACT_CASES.json\n");
        return 2;
    }
    std::ifstream stream(argv[1]);
    check_all(json::parse(stream));
    return checks_result();
}
