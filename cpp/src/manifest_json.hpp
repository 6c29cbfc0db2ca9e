// The JSON of an engine's manifest, and how its values are refused. Part of manifest_values.cpp.
#ifndef DRSFORMER_MANIFEST_JSON_HPP
#define DRSFORMER_MANIFEST_JSON_HPP

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "manifest.hpp"
#include "one_line.hpp"
#include "readable.hpp"

namespace drsformer::manifest_json {

using nlohmann::json;

constexpr int deepest = 100;  // nesting; ours have five
constexpr const char *rebuild = "build it again with `drs-export trt`";

[[noreturn]] inline void refuse(const std::string &source, const std::string &reason) {
    throw Failure(DRS_ENGINE_ERROR,
                  source + " is not a manifest of an engine (" + reason + "); " + rebuild);
}

[[noreturn]] inline void refuse_value(const std::string &source, const std::string &what,
                                      const std::string &expected) {
    throw Failure(DRS_ENGINE_ERROR, source + ": " + what + " is not a valid value: expected " +
                                        expected + "; " + rebuild);
}

// Returns a value as messages show it: text in single quotes, escaped, and not too long.
inline std::string shown(const json &value) {
    auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (value.is_string()) text = "'" + text.substr(1, text.size() - 2) + "'";
    return one_line(text, 200);
}

// Refuses what JSON allows and a manifest never has: a key that comes twice, and deep nesting.
class Watch {
  public:
    explicit Watch(const std::string &source) : source_(source) {}

    bool operator()(int depth, json::parse_event_t event, const json &parsed) {
        if (depth > deepest) refuse(source_, "it is nested too deeply");
        if (event == json::parse_event_t::object_start) keys_.emplace_back();
        if (event == json::parse_event_t::object_end) keys_.pop_back();
        if (event == json::parse_event_t::key) {
            const auto &key = parsed.get_ref<const std::string &>();
            if (!keys_.back().insert(key).second) {
                refuse(source_, "the key " + shown(parsed) + " comes twice");
            }
        }
        return true;
    }

  private:
    const std::string &source_;
    std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

// Returns the values of a text, which is untrusted.
inline json parsed(std::string_view text, const std::string &source) {
    if (text.size() > most_manifest_bytes) {
        refuse(source, "it has more than " + with_commas(most_manifest_bytes) + " bytes");
    }
    // the parser would skip a byte order mark, which Python refuses
    if (text.substr(0, 3) == "\xEF\xBB\xBF") refuse(source, "it begins with a byte order mark");
    if (text.find('\0') != std::string_view::npos) refuse(source, "it has zero bytes");
    try {
        return json::parse(text.begin(), text.end(), Watch(source));
    } catch (const json::exception &error) {
        refuse(source, one_line(error.what(), 200));
    }
}

}  // namespace drsformer::manifest_json

#endif  // DRSFORMER_MANIFEST_JSON_HPP
