#include "free_memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace drsformer {
namespace {

namespace fs = std::filesystem;

// Returns the number of a line such as "VmRSS:  123 kB" or "inactive_file 123".
std::optional<int64_t> field(const fs::path &path, const std::string &name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string key;
        int64_t number = 0;
        if (!(words >> key)) continue;
        if (key.back() == ':') key.pop_back();
        if (key == name && words >> number) return number;
    }
    return std::nullopt;
}

// Returns the number that a file begins with; nothing for "max", or where there is no such file.
std::optional<int64_t> number_in(const fs::path &path) {
    std::ifstream file(path);
    int64_t number = 0;
    if (file >> number) return number;
    return std::nullopt;
}

struct Names {
    const char *limit;
    const char *used;
    const char *inactive;
};

constexpr Names version_1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file"};
constexpr Names version_2 = {"memory.max", "memory.current", "inactive_file"};

void add_left(std::vector<int64_t> &left, const fs::path &group, const Names &names) {
    const auto limit = number_in(group / names.limit);
    const auto used = number_in(group / names.used);
    if (!limit || !used) return;
    // the kernel drops such copies of files before it kills
    left.push_back(*limit - *used + field(group / "memory.stat", names.inactive).value_or(0));
}

// Adds what is left in a group of the process and in all groups above it. In a container the names
// may be those of the machine, whose folders do not exist there; the folder above all, which does,
// is then the container's own group.
void add_groups(std::vector<int64_t> &left, const fs::path &root, const std::string &line) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) return;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    fs::path name = fs::path(line.substr(second + 1)).relative_path();
    for (bool above = false; !above; name = name.parent_path()) {
        above = name.empty();
        if (line.compare(0, first, "0") == 0) {  // mounted alone, or beside version 1
            add_left(left, root / "sys/fs/cgroup" / name, version_2);
            add_left(left, root / "sys/fs/cgroup/unified" / name, version_2);
        } else if (controllers.find(",memory,") != std::string::npos) {
            add_left(left, root / "sys/fs/cgroup/memory" / name, version_1);
        }
    }
}

void add_address_space(std::vector<int64_t> &left, const fs::path &root) {
    rlimit limit = {};
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const int64_t used = field(root / "proc/self/status", "VmSize").value_or(0) * 1024;
    // half: the libraries reserve up to twice the space that they then fill
    left.push_back((static_cast<int64_t>(limit.rlim_cur) - used) / 2);
}

}  // namespace

std::optional<int64_t> free_memory(const fs::path &root) {
    const auto available = field(root / "proc/meminfo", "MemAvailable");
    if (!available) return std::nullopt;
    std::vector<int64_t> left = {*available * 1024};
    std::ifstream groups(root / "proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) add_groups(left, root, line);
    add_address_space(left, root);
    return std::max<int64_t>(0, *std::min_element(left.begin(), left.end()));
}

int64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    int64_t pages = 0;
    int64_t resident = 0;
    return file >> pages >> resident ? resident * sysconf(_SC_PAGESIZE) : 0;
}

PeakMemory::~PeakMemory() {
    stop();
}

int64_t PeakMemory::stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    return std::max(most_, resident_bytes());
}

void PeakMemory::watch() {
    while (!stopped_) {
        most_ = std::max(most_, resident_bytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace drsformer
