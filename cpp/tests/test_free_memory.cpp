// What is free, as the files of a made-up system say.
#include "check.hpp"
#include "free_memory.hpp"
#include "temporary_folder.hpp"

using namespace drsformer;

namespace {

void write(const TemporaryFolder &root, const std::string &name, const std::string &text) {
    std::filesystem::create_directories((root / name).parent_path());
    write_file(root / name, text);
}

void begin(const TemporaryFolder &root, const std::string &groups) {
    write(root, "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
    write(root, "proc/self/cgroup", groups);
}

void test_version_1_and_groups_above() {
    const TemporaryFolder root;
    begin(root, "5:cpu,memory:/a/b\n");
    CHECK(free_memory(root / "") == int64_t{8000 * 1024});
    write(root, "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    write(root, "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "1000\n");
    CHECK(free_memory(root / "") == int64_t{8000 * 1024});
    write(root, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "500000\n");
    write(root, "sys/fs/cgroup/memory/a/memory.usage_in_bytes", "200000\n");
    write(root, "sys/fs/cgroup/memory/a/memory.stat", "cache 7\ntotal_inactive_file 100\n");
    CHECK(free_memory(root / "") == int64_t{300100});
}

void test_version_2() {
    const TemporaryFolder root;
    begin(root, "0::/user\n");
    write(root, "sys/fs/cgroup/user/memory.max", "max\n");
    write(root, "sys/fs/cgroup/user/memory.current", "1\n");
    CHECK(free_memory(root / "") == int64_t{8000 * 1024});
    write(root, "sys/fs/cgroup/memory.max", "3000\n");  // a container's own group
    write(root, "sys/fs/cgroup/memory.current", "4000\n");
    CHECK(free_memory(root / "") == int64_t{0});
}

}  // namespace

int main() {
    const TemporaryFolder nowhere;
    CHECK(!free_memory(nowhere / ""));
    test_version_1_and_groups_above();
    test_version_2();
    CHECK(free_memory().value_or(1) > 0);
    CHECK(resident_bytes() > 100000);
    return checks_result();
}
