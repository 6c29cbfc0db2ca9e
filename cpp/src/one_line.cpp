#include "one_line.hpp"

#include <cstdint>

namespace drsformer {
namespace {

constexpr std::string_view cut_mark = " ...";

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::uint8_t byte_at(std::string_view text, std::size_t i) {
    return static_cast<std::uint8_t>(text[i]);
}

bool continues(std::string_view text, std::size_t i) {
    return i < text.size() && (byte_at(text, i) & 0xc0) == 0x80;
}

// Returns how many bytes the printable character at i has; 0 where there is none.
std::size_t character_size(std::string_view text, std::size_t i) {
    const auto first = byte_at(text, i);
    if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return 0;
    for (std::size_t j = 1; j < size; ++j) {
        if (!continues(text, i + j)) return 0;
    }
    const auto second = byte_at(text, i + 1);
    const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool no_character = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second > 0x8f);
    const bool is_control = first == 0xc2 && second < 0xa0;
    return too_long || no_character || is_control ? 0 : size;
}

std::string cut(std::string text, std::size_t limit) {
    if (text.size() <= limit) return text;
    auto end = limit > cut_mark.size() ? limit - cut_mark.size() : 0;
    while (end > 0 && continues(text, end)) --end;
    return text.substr(0, end).append(cut_mark);
}

}  // namespace

std::string one_line(std::string_view text, std::size_t limit) {
    std::string line;
    for (std::size_t i = 0; i < text.size() && line.size() <= limit;) {
        if (is_space(text[i])) {
            if (!line.empty() && line.back() != ' ') line += ' ';
            ++i;
            continue;
        }
        const auto size = character_size(text, i);
        line += size == 0 ? "?" : text.substr(i, size);
        i += size == 0 ? 1 : size;
    }
    if (!line.empty() && line.back() == ' ' && line.size() <= limit) line.pop_back();
    return cut(line, limit);
}

}  // namespace drsformer
