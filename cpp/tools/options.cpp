#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "failure.hpp"
#include "megapixels.hpp"

namespace drsformer::tool {
namespace {

using std::string_view;

struct Name {
    string_view name;
    std::int32_t value;
};

constexpr std::array raw_formats = {
    Name{"rgb24", DRS_RGB8},   Name{"bgr24", DRS_BGR8}, Name{"gray", DRS_GREY8},
    Name{"yuyv422", DRS_YUYV}, Name{"nv12", DRS_NV12},  Name{"rgb48le", DRS_RGB16},
};
constexpr std::array matrices = {Name{"bt601", DRS_BT601}, Name{"bt709", DRS_BT709},
                                 Name{"bt2020", DRS_BT2020}};
constexpr std::array ranges = {Name{"limited", DRS_LIMITED_RANGE}, Name{"full", DRS_FULL_RANGE}};
constexpr std::array blends = {Name{"uniform", DRS_BLEND_UNIFORM},
                               Name{"feather", DRS_BLEND_FEATHER}};

[[noreturn]] void refuse(string_view option, string_view value, const std::string &expected) {
    throw UsageError(std::string(option) + " is '" + std::string(value) + "'; expected " +
                     expected);
}

template <typename Names>
std::int32_t one_of(const Names &names, string_view option, string_view value) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const Name &one) { return one.name == value; });
    if (found != names.end()) {
        return found->value;
    }
    std::string expected;
    for (const Name &one : names) {
        expected += (expected.empty() ? "" : ", ") + std::string(one.name);
    }
    refuse(option, value, "one of " + expected);
}

bool reads_number(string_view text, std::int32_t least, std::int32_t &number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number >= least;
}

std::int32_t number_from(string_view option, string_view value, std::int32_t least) {
    std::int32_t number = 0;
    if (!reads_number(value, least, number)) {
        refuse(option, value, "a whole number from " + std::to_string(least) + " on");
    }
    return number;
}

// The arguments while they are read.
struct Given {
    Options options;
    FrameLayout frames;
    std::vector<string_view> of_frames;  // the options that only --raw has a use for
    std::vector<std::string> positional;
};

void set_size(Given &given, string_view option, string_view value) {
    const std::size_t cross = value.find('x');
    if (cross == string_view::npos ||
        !reads_number(value.substr(0, cross), 1, given.frames.width) ||
        !reads_number(value.substr(cross + 1), 1, given.frames.height)) {
        refuse(option, value, "width and height, such as 640x480");
    }
    given.options.raw = FrameLayout{};
}

void set_tile(Given &given, string_view option, string_view value) {
    given.options.tile = value == "whole" ? std::int32_t{DRS_TILE_WHOLE} : 0;
    if (value != "whole" && !reads_number(value, 1, given.options.tile)) {
        refuse(option, value, "a number of pixels that is a multiple of 8, or whole");
    }
}

struct Option {
    string_view name;
    bool has_value;
    void (*set)(Given &given, string_view option, string_view value);
};

constexpr std::array known_options = {
    Option{"--output", true, [](Given &g, string_view, string_view v) { g.options.output = v; }},
    Option{"-o", true, [](Given &g, string_view, string_view v) { g.options.output = v; }},
    Option{"--raw", true, set_size},
    Option{"--format", true,
           [](Given &g, string_view o, string_view v) {
               g.frames.format = one_of(raw_formats, o, v);
               g.of_frames.push_back("--format");
           }},
    Option{"--matrix", true,
           [](Given &g, string_view o, string_view v) {
               g.frames.matrix = one_of(matrices, o, v);
               g.of_frames.push_back("--matrix");
           }},
    Option{"--range", true,
           [](Given &g, string_view o, string_view v) {
               g.frames.range = one_of(ranges, o, v);
               g.of_frames.push_back("--range");
           }},
    Option{"--tile", true, set_tile},
    Option{
        "--overlap", true,
        [](Given &g, string_view o, string_view v) { g.options.overlap = number_from(o, v, 0); }},
    Option{"--blend", true,
           [](Given &g, string_view o, string_view v) {
               g.options.blend = static_cast<Blend>(one_of(blends, o, v));
           }},
    Option{
        "--threads", true,
        [](Given &g, string_view o, string_view v) { g.options.threads = number_from(o, v, 1); }},
    Option{"--device", true,
           [](Given &g, string_view o, string_view v) { g.options.device = number_from(o, v, 0); }},
    Option{"--provider", true,
           [](Given &g, string_view, string_view v) { g.options.provider = v; }},
    Option{"--precision", true,
           [](Given &g, string_view, string_view v) { g.options.precision = v; }},
    Option{"--modules", true, [](Given &g, string_view, string_view v) { g.options.modules = v; }},
    Option{"--library", true, [](Given &g, string_view, string_view v) { g.options.library = v; }},
    Option{"--cache", true, [](Given &g, string_view, string_view v) { g.options.cache = v; }},
    Option{"--timings", false,
           [](Given &g, string_view, string_view) { g.options.timings = true; }},
    Option{"--verbose", false,
           [](Given &g, string_view, string_view) { g.options.verbose = true; }},
    Option{"-v", false, [](Given &g, string_view, string_view) { g.options.verbose = true; }},
    Option{"--help", false, [](Given &g, string_view, string_view) { g.options.help = true; }},
    Option{"-h", false, [](Given &g, string_view, string_view) { g.options.help = true; }},
    Option{"--version", false,
           [](Given &g, string_view, string_view) { g.options.version = true; }},
};

const Option &option_called(string_view name) {
    const auto found = std::find_if(known_options.begin(), known_options.end(),
                                    [&](const Option &one) { return one.name == name; });
    if (found == known_options.end()) {
        throw UsageError("unknown option " + std::string(name) +
                         "; `drs-derain --help` lists the options");
    }
    return *found;
}

// Reads an option, whose value follows a "=" or is the next argument; returns the arguments used.
std::size_t take_option(Given &given, const std::vector<std::string> &arguments, std::size_t at) {
    const string_view argument = arguments[at];
    const std::size_t equals = argument.find('=');
    const string_view name = argument.substr(0, equals);
    const Option &option = option_called(name);
    if (!option.has_value && equals != string_view::npos) {
        throw UsageError(std::string(name) + " takes no value");
    }
    if (!option.has_value || equals != string_view::npos) {
        option.set(given, name, option.has_value ? argument.substr(equals + 1) : string_view());
        return 1;
    }
    if (at + 1 == arguments.size()) {
        throw UsageError(std::string(name) + " needs a value; see `drs-derain --help`");
    }
    option.set(given, name, arguments[at + 1]);
    return 2;
}

bool is_yuv(std::int32_t format) {
    return format == DRS_YUYV || format == DRS_NV12;
}

// Checks what stands beside --raw.
FrameLayout checked_frames(const Given &given) {
    const auto has = [&](string_view name) {
        return std::find(given.of_frames.begin(), given.of_frames.end(), name) !=
               given.of_frames.end();
    };
    const FrameLayout &frames = given.frames;
    if (!given.options.inputs.empty() || !given.options.output.empty()) {
        throw UsageError(
            "--raw reads the standard input and writes the standard output; leave out "
            "INPUT and -o");
    }
    if (!has("--format")) {
        throw UsageError("--raw needs --format too, such as --format rgb24");
    }
    if (!is_yuv(frames.format) && (has("--matrix") || has("--range"))) {
        throw UsageError("--matrix and --range are of yuyv422 and nv12; leave them out");
    }
    if ((is_yuv(frames.format) && frames.width % 2 != 0) ||
        (frames.format == DRS_NV12 && frames.height % 2 != 0)) {
        throw UsageError("yuyv422 needs an even width, and nv12 even sides");
    }
    check_megapixels(static_cast<std::uint64_t>(frames.width),
                     static_cast<std::uint64_t>(frames.height), "--raw");
    return frames;
}

void check_files(const Given &given) {
    if (!given.of_frames.empty()) {
        throw UsageError(std::string(given.of_frames.front()) + " has no effect without --raw");
    }
    if (given.options.inputs.empty()) {
        throw UsageError(
            "give a model and what is to be derained: drs-derain MODEL INPUT... -o OUT");
    }
    if (given.options.output.empty()) {
        throw UsageError("give the file or folder to write with -o OUT");
    }
}

}  // namespace

Options options_from(const std::vector<std::string> &arguments) {
    Given given;
    bool only_names = false;  // after "--"
    for (std::size_t at = 0; at < arguments.size();) {
        const std::string &argument = arguments[at];
        if (!only_names && argument == "--") {
            only_names = true;
            ++at;
        } else if (!only_names && argument.size() > 1 && argument[0] == '-') {
            at += take_option(given, arguments, at);
        } else {
            given.positional.push_back(argument);
            ++at;
        }
    }
    Options &options = given.options;
    if (options.help || options.version) {
        return options;
    }
    if (!given.positional.empty()) {
        options.model = given.positional.front();
        options.inputs.assign(given.positional.begin() + 1, given.positional.end());
    }
    if (options.model.empty()) {
        throw UsageError("give a model: drs-derain MODEL INPUT... -o OUT; see `drs-derain --help`");
    }
    if (options.raw) {
        options.raw = checked_frames(given);
    } else {
        check_files(given);
    }
    return options;
}

}  // namespace drsformer::tool
