// Makes one readable line of what an inference library says about a failure.
#ifndef DRSFORMER_BACKENDS_ERROR_TEXT_HPP
#define DRSFORMER_BACKENDS_ERROR_TEXT_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace drsformer::backend {

constexpr std::size_t longest_reason = 240;  // bytes

// Returns the beginning of a text, and never half a UTF-8 character.
inline std::string_view cut(std::string_view text, std::size_t most) noexcept {
    if (text.size() <= most) {
        return text;
    }
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) {
        --most;
    }
    return text.substr(0, most);
}

// Removes "[ONNXRuntimeError] : 1 : FAIL : " and "Load model from FILE failed:".
inline std::string_view without_prefixes(std::string_view text) noexcept {
    constexpr std::string_view error = "[ONNXRuntimeError] : ";
    constexpr std::string_view load = "Load model from ";
    constexpr std::string_view failed = " failed:";
    constexpr std::string_view separator = " : ";
    const auto starts_with = [&text](std::string_view prefix) {
        return text.substr(0, prefix.size()) == prefix;
    };
    if (starts_with(error)) {
        text.remove_prefix(error.size());
        for (int part = 0; part < 2; ++part) {  // the code and its name
            const auto end = text.find(separator);
            if (end != std::string_view::npos) text.remove_prefix(end + separator.size());
        }
    }
    const auto end = text.substr(0, text.find('\n')).rfind(failed);
    if (starts_with(load) && end != std::string_view::npos) text.remove_prefix(end + failed.size());
    return text;
}

// Puts one space where a text has spaces or line breaks, and none at its ends.
inline std::string on_one_line(std::string_view text) {
    constexpr std::string_view spaces = " \t\n\v\f\r";
    std::string line;
    for (auto start = text.find_first_not_of(spaces); start != std::string_view::npos;
         start = text.find_first_not_of(spaces)) {
        text.remove_prefix(start);
        const auto word = text.substr(0, text.find_first_of(spaces));
        line.append(line.empty() ? "" : " ").append(word);
        text.remove_prefix(word.size());
    }
    return line;
}

// Cuts a line at a space, so that it is short enough with " ..." behind it.
inline std::string shortened(const std::string &line, std::size_t most = longest_reason) {
    constexpr std::string_view more = " ...";
    if (line.size() <= most) {
        return line;
    }
    const auto space = line.rfind(' ', most - more.size());
    const auto kept = space == std::string::npos ? cut(line, most - more.size())
                                                 : std::string_view(line).substr(0, space);
    return std::string(kept).append(more);
}

// Returns the core of a library's message: one line, no prefixes, no full stop.
inline std::string reason_of(std::string_view message) {
    auto line = on_one_line(without_prefixes(message));
    line.erase(line.find_last_not_of('.') + 1);
    return shortened(line);
}

// Returns what stands between some words and one of the characters `ends`; "" without the words.
inline std::string_view after(std::string_view text, std::string_view words,
                              std::string_view ends) noexcept {
    const auto at = text.find(words);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + words.size());
    return text.substr(0, text.find_first_of(ends));
}

// Says that a file of weights, which should lie beside the model, is missing; nothing if a library
// failed for another reason. drsformer/files.py is the same in Python.
inline std::optional<std::string> lost_weights(std::string_view message) {
    auto file = after(message, "External data path does not exist: \"", "\"");  // ONNX Runtime
    if (file.empty()) file = after(message, "externally stored data in file (", ",)");  // OpenVINO
    file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
    const auto says = [message](const char *words) {
        return message.find(words) != std::string_view::npos;
    };
    if (file.empty() && says("External initializer") && says("file_length")) {
        file = "a file beside it";
    }
    if (file.empty()) return std::nullopt;
    return "it has its weights in " + std::string(file) +
           ", which is missing or cut short; copy both files into one folder";
}

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_ERROR_TEXT_HPP
