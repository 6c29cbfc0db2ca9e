// One JSON object of an engine's manifest. Part of manifest_values.cpp.
#ifndef DRSFORMER_MANIFEST_OBJECT_HPP
#define DRSFORMER_MANIFEST_OBJECT_HPP

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "manifest_json.hpp"

namespace drsformer::manifest_json {

inline bool is_hash(const json &value) {
    if (!value.is_string()) return false;
    const auto &text = value.get_ref<const std::string &>();
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

inline bool is_text_or_null(const json &value) {
    return value.is_string() || value.is_null();
}

// The values of one JSON object, which is the manifest or a part of it.
class Values {
  public:
    Values(const json &values, std::string prefix, const std::string &source)
        : values_(values), prefix_(std::move(prefix)), source_(source) {
        if (!values_.is_object()) {
            refuse(source_, (prefix_.empty() ? "it" : prefix_.substr(0, prefix_.size() - 1)) +
                                " is not an object");
        }
    }

    // Returns the value of a key that must be there.
    const json &at(const std::string &key) const {
        const auto found = values_.find(key);
        if (found == values_.end()) refuse(source_, "the key '" + prefix_ + key + "' is missing");
        return *found;
    }

    // Returns the value of a key, or another value.
    json get(const std::string &key, const json &missing) const {
        const auto found = values_.find(key);
        return found == values_.end() ? missing : *found;
    }

    // Returns a value that passes a test, or refuses it.
    template <typename Valid>
    json checked(const std::string &key, const json &value, const Valid &valid,
                 const std::string &expected) const {
        if (!valid(value)) refuse_value(source_, prefix_ + key + " " + shown(value), expected);
        return value;
    }

    template <typename Valid>
    json required(const std::string &key, const Valid &valid, const std::string &expected) const {
        return checked(key, at(key), valid, expected);
    }

    std::string text(const std::string &key) const {
        return required(key, [](const json &value) { return value.is_string(); }, "text");
    }

    std::string hash(const std::string &key) const {
        return required(key, is_hash, "64 hexadecimal digits");
    }

    // Returns the value of a key that may be missing; null is the same.
    std::optional<std::string> text_or_null(const std::string &key) const {
        const auto value = checked(key, get(key, nullptr), is_text_or_null, "text or null");
        if (value.is_null()) return std::nullopt;
        return value.get<std::string>();
    }

    bool flag(const std::string &key) const {
        const auto is_flag = [](const json &value) { return value.is_boolean(); };
        return checked(key, get(key, false), is_flag, "true or false");
    }

    // Returns a text that is one of these; missing is taken for a key that is not there.
    std::string one_of(const std::string &key, const json &value,
                       std::initializer_list<const char *> names) const {
        std::string expected;
        for (const auto *name : names)
            expected += (expected.empty() ? "" : " or ") + std::string(name);
        const auto is_name = [&](const json &found) {
            return std::any_of(names.begin(), names.end(),
                               [&](const char *name) { return found == name; });
        };
        return checked(key, value, is_name, expected);
    }

    // Refuses keys besides these: in a part, one that is unknown could change what it means.
    void check_keys(std::initializer_list<const char *> known) const {
        for (const auto &[key, value] : values_.items()) {
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                refuse(source_, "the key " + shown(prefix_ + key) + " is unknown");
            }
        }
    }

  private:
    const json &values_;
    std::string prefix_;
    const std::string &source_;
};

}  // namespace drsformer::manifest_json

#endif  // DRSFORMER_MANIFEST_OBJECT_HPP
