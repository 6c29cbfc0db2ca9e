"""Free memory: the machine's, below the limits of all control groups, in made-up trees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drsformer.runtime.free_memory import free_memory

GIB = 2**30
NO_LIMIT = 9223372036854771712  # what version 1 says


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    meminfo = f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {8 * 2**20} kB"
    return write(tmp_path, {"proc/meminfo": meminfo, "proc/self/cgroup": "0::/"})


def group(folder: str, limit: object, used: int, cached: int = 0) -> dict[str, object]:
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cached}\nactive_file 7",
    }


def group_of_version_1(folder: str, limit: int, used: int, cached: int = 0) -> dict[str, object]:
    return {
        f"{folder}/memory.limit_in_bytes": limit,
        f"{folder}/memory.usage_in_bytes": used,
        f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {cached}",
    }


def test_without_limits_it_is_what_the_machine_has(machine: Path) -> None:
    assert free_memory(machine) == 8 * GIB


def test_where_it_is_not_known_nothing_is_said(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None


def test_the_own_group_counts_and_cached_files_are_free(machine: Path) -> None:
    write(machine, {"proc/self/cgroup": "0::/a/b"})
    write(machine, group("sys/fs/cgroup/a/b", 4 * GIB, 3 * GIB, cached=GIB))
    assert free_memory(machine) == 2 * GIB


def test_a_group_above_counts(machine: Path) -> None:
    write(machine, {"proc/self/cgroup": "0::/a/b"})
    write(machine, group("sys/fs/cgroup/a/b", "max", 3 * GIB))
    write(machine, group("sys/fs/cgroup/a", 6 * GIB, 5 * GIB))
    assert free_memory(machine) == GIB


def test_in_a_container_the_folder_above_all_is_its_group(machine: Path) -> None:
    write(machine, {"proc/self/cgroup": "0::/system.slice/docker-1234.scope"})
    write(machine, group("sys/fs/cgroup", 2 * GIB, GIB))
    assert free_memory(machine) == GIB


@pytest.mark.parametrize("name", ["/job", "/not/here"])
def test_groups_of_version_1_count(machine: Path, name: str) -> None:
    write(machine, {"proc/self/cgroup": f"5:cpu,cpuacct:/x\n4:memory:{name}\n0::/"})
    folder = "sys/fs/cgroup/memory" + (name if name == "/job" else "")
    write(machine, group_of_version_1("sys/fs/cgroup/memory", NO_LIMIT, GIB))
    write(machine, group_of_version_1(folder, 3 * GIB, 2 * GIB, cached=GIB // 2))
    assert free_memory(machine) == 3 * GIB // 2


def test_version_2_beside_version_1_counts(machine: Path) -> None:
    write(machine, {"proc/self/cgroup": "4:memory:/\n0::/job"})
    write(machine, group("sys/fs/cgroup/unified/job", 3 * GIB, GIB))
    assert free_memory(machine) == 2 * GIB


def test_a_group_that_is_over_its_limit_leaves_nothing(machine: Path) -> None:
    write(machine, group("sys/fs/cgroup", GIB, 2 * GIB))
    assert free_memory(machine) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's files")
def test_a_limit_of_address_space_counts() -> None:
    script = (
        "import resource; from drsformer.runtime.free_memory import free_memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30)); import sys\n"
        "sys.stdout.write(str(free_memory()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 0 < int(done.stdout) < 1.5 * GIB, done.stderr
