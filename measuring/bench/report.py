"""The result of a bench: as a sentence, as a table, and as values for JSON."""

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.table import Table

from .machine import Peaks
from .measure import CandidateResult
from .setting import BenchSetting

PACKAGES = ("drs-export", "torch", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy")


@dataclass(frozen=True)
class SettingResults:
    """The results of all candidates at one setting; the first is the reference of PSNR."""

    setting: BenchSetting
    results: tuple[CandidateResult, ...]

    @property
    def fastest(self) -> CandidateResult:
        """The candidate with the least median time."""
        return min(self.results, key=lambda result: result.median_seconds)

    def result_of(self, name: str) -> CandidateResult:
        """Return the result of the candidate of this name."""
        return next(result for result in self.results if result.name == name)


@dataclass(frozen=True)
class BenchReport:
    """The result of a whole bench.

    Attributes:
        network: name, SHA-256, parameters and variant of the checkpoint.
        machine: processor, cores and system.
        versions: versions of the packages that were compared.
        peaks: what the machine can do with as many threads as the candidates have.
        baseline: the candidate that speed-ups refer to.
        groups: the results at each setting.
    """

    network: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    peaks: Peaks
    baseline: str
    groups: tuple[SettingResults, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def machine() -> dict[str, Any]:
    """Return the processor, the number of cores and the system of this machine."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of those `PACKAGES` that are installed."""
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


def result_line(group: SettingResults, baseline: str) -> str:
    """Say which candidate is the fastest, by how much, and how close its output is."""
    best, first = group.fastest, group.results[0]
    line = (
        f"{group.setting.title}: {best.name} is the fastest, {best.median_seconds:.3g} s an image"
    )
    if best.name == baseline:
        line += ", and the baseline"
    else:
        line += f", {best.speedup:.2f} times as fast as {baseline}"
    if best is first:
        return line
    if best.psnr_db is None:
        return f"{line}; its output equals that of {first.name}"
    return f"{line}; {best.psnr_db:.1f} dB PSNR against {first.name}"


def machine_text(report: BenchReport) -> str:
    """Say what the machine is and what it reached."""
    peaks = report.peaks
    return (
        f"{report.machine['processor']} with {report.machine['cores']} cores, which reached "
        f"{2 * peaks.float32_macs / 1e9:.0f} GFLOP/s in float32, "
        f"{2 * peaks.bfloat16_macs / 1e9:.0f} in bfloat16, "
        f"{peaks.copy_bytes / 1e9:.0f} GB/s in a copy"
    )


@dataclass(frozen=True)
class Column:
    """A column of the table of results.

    Attributes:
        title: its heading on the page.
        short: its heading in a terminal, where all columns share 80 characters; "" leaves it out.
        cell: the text that it shows for a result.
    """

    title: str
    short: str
    cell: Callable[[CandidateResult], str]


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


def table_from_group(group: SettingResults) -> Table:
    """Return a table with a row for each candidate."""
    caption = (
        "s, min, max: seconds an image, the median, the least and the most; ratio: speed-up over "
        "the baseline; out: share of the time outside the network; MB: peak memory; dB: PSNR "
        "against the first candidate; ops, mem: share of peak arithmetic and bandwidth"
    )
    table = Table("candidate", title=group.setting.title, caption=caption, padding=(0, 0))
    columns = [column for column in COLUMNS if column.short]
    for column in columns:
        table.add_column(column.short, justify="right")
    for result in group.results:
        table.add_row(result.name, *(column.cell(result) for column in columns))
    return table


def _percent(share: float | None) -> str:
    return "\u2013" if share is None else f"{100 * share:.0f}%"
