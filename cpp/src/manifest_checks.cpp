// Whether an engine fits a version, a platform, a GPU and a shape.
#include <algorithm>
#include <charconv>
#include <limits>

#include "failure.hpp"
#include "manifest.hpp"

namespace drsformer {
namespace {

namespace fs = std::filesystem;

using Numbers = std::vector<std::uint64_t>;

const char *const rebuild = "build it again with `drs-export trt`";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::size_t end_of_digits(std::string_view text, std::size_t from) {
    while (from < text.size() && is_digit(text[from])) ++from;
    return from;
}

std::uint64_t number_of(std::string_view digits) {
    std::uint64_t number = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return result.ec == std::errc() ? number : std::numeric_limits<std::uint64_t>::max();
}

// Returns 10, 7, 0 for "10.7.0", "10.7.0.post1" and "10.7.0rc1"; at most four numbers.
Numbers numbers_of(std::string_view version) {
    Numbers numbers;
    std::size_t begin = 0;
    while (numbers.size() < 4) {
        const auto end = end_of_digits(version, begin);
        if (end == begin) break;
        numbers.push_back(number_of(version.substr(begin, end - begin)));
        if (end == version.size() || version[end] != '.') break;
        begin = end + 1;
    }
    return numbers;
}

// Returns "rc1" for "10.7.0rc1", and nothing for a release, also a repeated one (".post1").
std::string_view pre_release(std::string_view version) {
    const std::string_view repeated = "post";
    version.remove_prefix(std::min(version.find_first_not_of("0123456789."), version.size()));
    if (version.substr(0, repeated.size()) != repeated) return version;
    const auto end = end_of_digits(version, repeated.size());
    return end == repeated.size() ? version : version.substr(end);
}

// Whether two versions have the same numbers, as far as both have them: some have no build number.
bool alike(const Numbers &ours, const Numbers &theirs) {
    const auto shared = static_cast<std::ptrdiff_t>(std::min(ours.size(), theirs.size()));
    return std::equal(ours.begin(), ours.begin() + shared, theirs.begin());
}

// Whether a version is no older, and of the same major number or the next one.
bool follows(Numbers ours, Numbers theirs) {
    if (ours.empty() || theirs.empty()) return false;
    ours.resize(std::min<std::size_t>(ours.size(), 2));
    theirs.resize(std::min<std::size_t>(theirs.size(), 2));
    return theirs >= ours && theirs[0] - ours[0] <= 1;
}

std::string joined(const std::vector<std::string> &texts) {
    std::string line;
    for (const auto &text : texts) line += (line.empty() ? "" : ", ") + text;
    return line;
}

}  // namespace

bool Profile::takes(const InputShape &shape) const {
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] < min[i] || shape[i] > max[i]) return false;
    }
    return true;
}

std::string library_title(const std::string &flavor) {
    return flavor == "tensorrt_rtx" ? "TensorRT-RTX" : "TensorRT";
}

void check_version(const Manifest &manifest, const std::string &version, const fs::path &engine) {
    const auto ours = numbers_of(manifest.version);
    const auto theirs = numbers_of(version);
    const auto our_kind = pre_release(manifest.version);
    const auto their_kind = pre_release(version);
    if (alike(ours, theirs) && our_kind == their_kind) return;
    const bool released = our_kind.empty() && their_kind.empty();
    if (manifest.runs_on.version_compatible && released && follows(ours, theirs)) return;
    throw Failure(DRS_ENGINE_ERROR, engine.string() + " was built by " +
                                        library_title(manifest.flavor) + " " + manifest.version +
                                        ", and here is " + version + "; install that version, or " +
                                        rebuild);
}

void check_platform(const Manifest &manifest, const std::string &platform, const fs::path &engine) {
    const auto &wanted = manifest.runs_on.platform;
    if (!wanted || *wanted == platform) return;
    throw Failure(DRS_ENGINE_ERROR, engine.string() + " was built on " + *wanted +
                                        ", and here is " + platform + "; " + rebuild +
                                        " on this machine");
}

void check_gpu(const Manifest &manifest, const std::string &name,
               const std::string &compute_capability, const fs::path &engine) {
    const auto &able = manifest.runs_on.compute_capabilities;
    const auto here = numbers_of(compute_capability);
    const auto fits = [&](const std::string &one) {
        return one == compute_capability || (manifest.runs_on.newer && here >= numbers_of(one));
    };
    if (std::any_of(able.begin(), able.end(), fits)) return;
    throw Failure(DRS_ENGINE_ERROR,
                  engine.string() + " was built for GPUs of compute capability " + joined(able) +
                      (manifest.runs_on.newer ? " and newer" : "") + ", and here is " + name +
                      " with " + compute_capability + "; " + rebuild + " for it");
}

int check_profile(const Manifest &manifest, const InputShape &shape, const fs::path &engine) {
    std::string accepted;
    for (std::size_t i = 0; i < manifest.profiles.size(); ++i) {
        const auto &profile = manifest.profiles[i];
        if (profile.takes(shape)) return static_cast<int>(i);
        accepted += (accepted.empty() ? "" : " or ") + shapes_text(profile);
    }
    throw Failure(DRS_SHAPE_ERROR, "an input is " + shape_text(shape) + " (" + manifest.layout +
                                       "), and " + engine.string() + " was built for " + accepted +
                                       "; use tiles of a size inside, or build it again with "
                                       "another --shapes");
}

std::string shape_text(const InputShape &shape) {
    std::string text;
    for (const auto size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
    return text;
}

std::string shapes_text(const Profile &profile) {
    if (profile.min == profile.max) return shape_text(profile.min);
    return shape_text(profile.min) + " to " + shape_text(profile.max);
}

}  // namespace drsformer
