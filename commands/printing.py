"""What the commands print of a result that more than one of them makes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from drsformer.calibration.convert import Converted
from drsformer.calibration.evaluate.report import NO_REGRESSION, Line
from drsformer.contract import shape_text

from .output import Output

if TYPE_CHECKING:  # these modules import torch, which a conversion does without
    from drsformer.export.check_against_pytorch import AgreementReport
    from drsformer.export.onnx_from_checkpoint import Exported

BRIEF = Output()


def print_exported(exported: Exported, output: Output = BRIEF) -> None:
    """Print the result of an export: one line, and the comparisons as detail."""
    report = exported.report
    output.result(
        f"{exported.path}: {exported.path.stat().st_size / 1e6:.1f} MB, {exported.nodes} nodes, "
        f"agrees with the checkpoint to {report.max_error:.1e}"
    )
    for remark in exported.remarks:
        output.note(remark)
    output.detail(report_table(report))
    if report.rewrite_error_float64 is not None:
        output.detail(
            "deployment form against plain network, in float64: max error "
            f"{report.rewrite_error_float64:.1e}"
        )
    output.detail(f"validation report: {escape(str(exported.report_path))}")


def report_table(report: AgreementReport) -> Table:
    """Return a table with one row for each tensor on each input."""
    table = Table("input", "tensor", "max error", "mean error", "PSNR dB", "")
    for row in report.rows:
        table.add_row(
            shape_text(row.shape),
            row.tensor,
            f"{row.max_error:.1e}",
            f"{row.mean_error:.1e}",
            "equal" if row.psnr_db is None else f"{row.psnr_db:.1f}",
            "ok" if row.passed else "[red]differs[/red]",
        )
    return table


def print_converted(made: Converted, output: Output) -> None:
    """Print the result of a conversion, and with -v the figures and the nodes that were kept."""
    for line in converted_lines(made):
        output.result(line)
    output.detail(_conversion_table(made))
    output.detail(_kept_table(made))


def converted_lines(made: Converted) -> list[str]:
    """Return the result of a conversion in one line, and what the user should know about it."""
    lines = [_conversion_line(made), *(f"  {remark}" for remark in made.report.remarks)]
    if made.kept_groups:
        groups = ", ".join(cost.group for cost in made.kept_groups)
        lines.append(f"  kept in fp16 to stay within the limit: {groups}")
    return [*lines, f"{made.report_path}: the report, with the nodes that stay higher, and why"]


def _conversion_line(made: Converted) -> str:
    """Return the result in one line."""
    line, images = made.report.lines[-1], len(made.report.images)
    assert line.quality is not None
    drop = line.quality.y_psnr_drop_db
    if drop is None:
        cost = f"{line.quality.psnr_db:.1f} dB PSNR against fp32"
    else:
        cost = f"{abs(drop):.3f} dB {'below' if drop >= 0 else 'above'} fp32"
    remarks = made.report.remarks
    found = f"remarks: {len(remarks)}" if remarks else NO_REGRESSION
    on = "1 image" if images == 1 else f"{images} images"
    return f"{made.path}: {line.size_bytes / 1e6:.1f} MB, {cost} on {on}, {found}"


def _conversion_table(made: Converted) -> Table:
    """Return the figures of each precision, a figure a row, with what it means."""
    title = f"{made.path.name}, measured on {len(made.report.images)} images"
    table = Table("", title=Text(title))  # not markup: a name may hold square brackets
    for line in made.report.lines:
        table.add_column(line.precision, justify="right")
    table.add_column("what it is")
    cells = [_cells(line) for line in made.report.lines]
    for number, (name, meaning) in enumerate(_FIGURES):
        table.add_row(name, *(column[number] for column in cells), meaning)
    return table


def _kept_table(made: Converted) -> Table:
    """Return the parts of the network that stay in a higher precision."""
    table = Table("part", "nodes", "reason", title="kept in a higher precision")
    counts = Counter((kept.part, kept.reason) for kept in made.kept)
    for (part, reason), count in counts.items():
        table.add_row(part, str(count), reason)
    return table


_FIGURES = (
    ("size, MB", "of the file"),
    ("PSNR, dB", "against fp32"),
    ("PSNR with fp32 top-k, dB", "against fp32, with its top-k masks"),
    ("top-k mismatch, %", "entries of the masks that differ"),
    ("max error", "of any pixel, of 255"),
    ("Y-PSNR lost, dB", "against targets, to fp32"),
    ("SSIM lost", "against targets, to fp32"),
    ("speed in ONNX Runtime", "times that of fp32, on this CPU"),
    ("speed in OpenVINO", "times that of fp32, on this CPU"),
    ("difference of the two", "between their images, of 255"),
)


def _cells(line: Line) -> list[str]:
    """Return the figures of one precision as text, in the order of `_FIGURES`."""
    quality = line.quality
    figures = ["-"] * 6
    if quality is not None:
        figures = [
            f"{quality.psnr_db:.1f}",
            or_dash(quality.fp32_top_k_psnr_db, ".1f"),
            f"{100 * quality.mismatch_rate:.2f}",
            str(quality.max_error),
            or_dash(quality.y_psnr_drop_db, ".3f"),
            or_dash(quality.ssim_drop, ".4f"),
        ]
    speeds = [or_dash(speed, ".2f") for speed in line.speed.values()]
    difference = or_dash(line.runtime_difference, "d")
    return [f"{line.size_bytes / 1e6:.2f}", *figures, *speeds, difference]


def or_dash(value: float | None, form: str) -> str:
    """Return a formatted number, or a dash for None."""
    return "-" if value is None else format(value, form)
