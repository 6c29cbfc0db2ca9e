"""What a bench found, as a whole: to print, to keep as JSON, to put on a page."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.table import Table

from .machine import Peaks
from .measure import Result, Setting

PACKAGES = ("drs-export", "torch", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy")


@dataclass(frozen=True)
class Group:
    """The contenders at one setting."""

    setting: Setting
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Report:
    """A whole bench.

    Attributes:
        network: the checkpoint's name, SHA-256, parameters and variant.
        machine: processor, cores, system.
        versions: of the packages that were compared.
        peaks: what the machine can do with as many threads as the contenders.
        baseline: the contender that speed-ups refer to.
        groups: one for each setting.
    """

    network: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    peaks: Peaks
    baseline: str
    groups: tuple[Group, ...]

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def machine() -> dict[str, Any]:
    """Say what this machine is."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of the installed ones of `PACKAGES`."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def setting_title(setting: Setting) -> str:
    """Return "256x256, 2 threads, not tiled"."""
    threads = f"{setting.threads} thread{'s' * (setting.threads > 1)}"
    tiles = f"tiles of {setting.tile}" if setting.tile else "not tiled"
    return f"{setting.height}x{setting.width}, {threads}, {tiles}"


@dataclass(frozen=True)
class Column:
    """A column of the tables.

    Attributes:
        title: on the page.
        short: in a terminal, which has 80 characters for all of them; "" leaves it out there.
        cell: what a result shows there.
    """

    title: str
    short: str
    cell: Callable[[Result], str]


COLUMNS = (
    Column("median s", "s", lambda r: f"{r.median_seconds:.3g}"),
    Column("fastest", "min", lambda r: f"{r.fastest_seconds:.3g}"),
    Column("slowest", "max", lambda r: f"{r.slowest_seconds:.3g}"),
    Column("speed-up", "ratio", lambda r: f"{r.speedup:.2f}"),
    Column("in single rounds", "", lambda r: "{:.2f} to {:.2f}".format(*r.speedup_range)),
    Column("MP/s", "MP/s", lambda r: f"{r.megapixels_per_second:.3g}"),
    Column("outside network", "out", lambda r: f"{100 * r.outside_share:.1f}%"),
    Column("peak MB", "MB", lambda r: f"{r.peak_bytes / 1e6:,.0f}"),
    Column("PSNR dB", "dB", lambda r: "equal" if r.psnr_db is None else f"{r.psnr_db:.1f}"),
    Column("of peak arithmetic", "ops", lambda r: _percent(r.compute_share)),
    Column("of peak bandwidth", "mem", lambda r: _percent(r.bandwidth_share)),
)


def table_from_results(setting: Setting, results: Sequence[Result]) -> Table:
    """Return a line for each contender."""
    caption = "out: outside the network; ops, mem: of the machine's peak"
    table = Table("contender", title=setting_title(setting), caption=caption, padding=(0, 0))
    columns = [column for column in COLUMNS if column.short]
    for column in columns:
        table.add_column(column.short, justify="right")
    for result in results:
        table.add_row(result.name, *(column.cell(result) for column in columns))
    return table


def _percent(share: float | None) -> str:
    return "\u2013" if share is None else f"{100 * share:.0f}%"
