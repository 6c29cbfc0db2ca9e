#include "options.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "failure.hpp"
#include "megapixels.hpp"
#include "option_values.hpp"

namespace drsformer::tool {
namespace {

using std::string_view;

// The arguments while they are read.
struct Given {
    Options options;
    FrameLayout frames;
    std::vector<string_view> of_frames;  // the options that only --raw has a use for
};

void set_size(Given &given, string_view option, string_view value) {
    const std::size_t cross = value.find('x');
    if (cross == string_view::npos ||
        !reads_number(value.substr(0, cross), 1, given.frames.width) ||
        !reads_number(value.substr(cross + 1), 1, given.frames.height)) {
        refuse_value(option, value, "width and height, such as 640x480");
    }
    given.options.raw = FrameLayout{};
}

void set_tile(Given &given, string_view option, string_view value) {
    given.options.tile = value == "whole" ? std::int32_t{DRS_TILE_WHOLE} : 0;
    if (value != "whole" && !reads_number(value, 1, given.options.tile)) {
        refuse_value(option, value, "a number of pixels that is a multiple of 8, or whole");
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
    Option{"--library", true,
           [](Given &g, string_view, string_view v) { g.options.onnxruntime_library = v; }},
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

void take_name(Options &options, const std::string &name) {
    if (options.model.empty()) {
        options.model = name;
    } else {
        options.inputs.push_back(name);
    }
}

Given given_by(const std::vector<std::string> &arguments) {
    Given given;
    bool only_names = false;  // after "--"
    for (std::size_t at = 0; at < arguments.size();) {
        const std::string &argument = arguments[at];
        if (!only_names && argument.size() > 1 && argument[0] == '-' && argument != "--") {
            at += take_option(given, arguments, at);
            continue;
        }
        if (only_names || argument != "--") {
            take_name(given.options, argument);
        }
        only_names = only_names || argument == "--";
        ++at;
    }
    return given;
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
    Given given = given_by(arguments);
    Options &options = given.options;
    if (options.help || options.version) {
        return options;
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
