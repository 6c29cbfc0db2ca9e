#include "readable.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "failure.hpp"
#include "sha256.hpp"

namespace drsformer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t chunk_size = 65536;

struct Closer {
    void operator()(std::FILE *file) const { static_cast<void>(std::fclose(file)); }
};
using File = std::unique_ptr<std::FILE, Closer>;

[[noreturn]] void refuse(const fs::path &path, drs_status status, int error,
                         const std::string &remedy) {
    throw Failure(status, "cannot read " + path.string() + ": " +
                              std::generic_category().message(error) + "; " + remedy);
}

File opened(const fs::path &path, drs_status status, const std::string &remedy) {
    std::error_code ignored;
    if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
        throw Failure(status,
                      "cannot read " + path.string() + ": it is not a regular file; " + remedy);
    }
    File file(std::fopen(path.c_str(), "rb"));
    if (!file) refuse(path, status, errno, remedy);
    return file;
}

// Hands a file to take(bytes, size) piece by piece.
template <typename Take>
void read_all(std::FILE *file, const fs::path &path, drs_status status, const Take &take) {
    std::array<char, chunk_size> chunk;
    while (const auto size = std::fread(chunk.data(), 1, chunk.size(), file)) {
        take(chunk.data(), size);
    }
    if (std::ferror(file) != 0) refuse(path, status, errno, "copy the file again");
}

}  // namespace

void check_readable(const fs::path &path, drs_status status, const std::string &remedy) {
    const auto file = opened(path, status, remedy);
    if (std::fgetc(file.get()) != EOF) return;
    if (std::ferror(file.get()) != 0) refuse(path, status, errno, remedy);
    throw Failure(status, path.string() + " is empty; " + remedy);
}

std::string bytes_of(const fs::path &path, std::uint64_t most, drs_status status,
                     const std::string &remedy) {
    check_readable(path, status, remedy);
    const auto file = opened(path, status, remedy);
    std::string bytes;
    std::error_code ignored;
    const auto size = fs::file_size(path, ignored);
    if (!ignored && size <= most) bytes.reserve(size);
    read_all(file.get(), path, status, [&](const char *data, std::size_t count) {
        if (bytes.size() + count > most) {
            throw Failure(status, path.string() + " has more than " + with_commas(most) +
                                      " bytes; " + remedy);
        }
        bytes.append(data, count);
    });
    return bytes;
}

std::string sha256_of(const fs::path &path, drs_status status) {
    const auto file = opened(path, status, "copy the file again");
    Sha256 sum;
    read_all(file.get(), path, status,
             [&](const char *data, std::size_t count) { sum.update(data, count); });
    return sum.digits();
}

std::string with_commas(std::uint64_t number) {
    auto text = std::to_string(number);
    for (auto i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
}

}  // namespace drsformer
