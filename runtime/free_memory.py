"""How much more memory this process may take: what the machine has, and what its limits leave.

On Linux only, where both are files. Containers and batch systems limit memory by control groups
("cgroups"): a process that goes over the limit of its group, or of a group above, is killed without
a word.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def free_memory(root: Path = ROOT) -> int | None:
    """Return the bytes that this process may still take; None where that is not known.

    It is the least of what is available on the machine, in the control groups of the process
    (versions 1 and 2) and all groups above them, and below its limit of address space.

    Args:
        root: the folder that holds /proc and /sys.
    """
    available = _available(root / "proc/meminfo")
    if available is None:
        return None
    return max(0, min([available, *_left_in_groups(root), *_left_in_address_space(root)]))


def resident_bytes(root: Path = ROOT) -> tuple[int, int]:
    """Return the bytes that this process has in memory now, and the most since it began (Linux)."""
    found = _fields(root / "proc/self/status")
    return found["VmRSS"] * 1024, found["VmHWM"] * 1024


def forget_peak(root: Path = ROOT) -> None:
    """Let the peak of `resident_bytes` begin anew (Linux).

    Raises:
        OSError: this process may not.
    """
    (root / "proc/self/clear_refs").write_text("5")


def _available(meminfo: Path) -> int | None:
    try:
        return _fields(meminfo)["MemAvailable"] * 1024
    except (OSError, KeyError):
        return None


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what is left in each control group that the process is in and that has a limit."""
    for version, folder in _groups(root):
        limit, used, inactive = (
            ("memory.max", "memory.current", "inactive_file")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        )
        try:
            left = int((folder / limit).read_text()) - int((folder / used).read_text())
        except (OSError, ValueError):  # no such group, or its limit is "max"
            continue
        # the kernel drops such copies of files before it kills
        yield left + _fields_or_none(folder / "memory.stat").get(inactive, 0)


def _groups(root: Path) -> Iterator[tuple[int, Path]]:
    """Yield the version and the folder of each group of the process, and of those above it.

    In a container the names may be those of the machine, whose folders do not exist there; the
    folder above all, which does, is then the container's own group.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, name = line.split(":", 2)
        path = Path(name.lstrip("/"))
        for part in (path, *path.parents):
            if number == "0":  # mounted alone, or beside version 1
                yield 2, root / "sys/fs/cgroup" / part
                yield 2, root / "sys/fs/cgroup/unified" / part
            elif "memory" in controllers.split(","):
                yield 1, root / "sys/fs/cgroup/memory" / part


def _left_in_address_space(root: Path) -> Iterator[int]:
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        # half: the libraries reserve up to twice the space that they then fill
        yield (limit - _fields_or_none(root / "proc/self/status").get("VmSize", 0) * 1024) // 2


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of lines such as "VmRSS:  123 kB" or "inactive_file 123"."""
    words = [line.replace(":", " ").split() for line in path.read_text().splitlines()]
    return {each[0]: int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}


def _fields_or_none(path: Path) -> dict[str, int]:
    try:
        return _fields(path)
    except OSError:
        return {}
