"""What the commands print of a result that more than one of them makes."""

from collections import Counter

import click
from rich.console import Console
from rich.table import Table

from drsformer.calibration.convert import Converted
from drsformer.calibration.evaluate.report import NO_REGRESSION, Line
from drsformer.contract import shape_text
from drsformer.export.check_against_pytorch import Report
from drsformer.export.onnx_from_checkpoint import Exported

from .output import Output


def print_exported(exported: Exported) -> None:
    """Print the summary of an export."""
    Console().print(report_table(exported.report))
    if exported.report.rewrite_error_float64 is not None:
        error = exported.report.rewrite_error_float64
        click.echo(f"rewritten against plain network in float64: max error {error:.1e}")
    size = exported.path.stat().st_size / 1e6
    click.echo(
        f"{exported.path}: {size:.1f} MB, {exported.nodes} nodes, agrees with the checkpoint"
    )
    click.echo(f"{exported.report_path}: the validation report")


def report_table(report: Report) -> Table:
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
    """Return the figures of each precision, with an explanation of the columns."""
    table = Table(
        title=f"{made.path.name}, measured on {len(made.report.images)} images",
        caption="PSNR: against fp32; with fp32 top-k: the same with the top-k masks of fp32; "
        "top-k mismatch: entries of the masks that differ; max error: of any pixel, of 255; "
        "Y-PSNR, SSIM lost: against targets; ORT, OpenVINO: times the speed of fp32 there; "
        "difference: between the images of the two, of 255",
        caption_justify="left",
        padding=(0, 0),
    )
    for name in ("", "MB", "PSNR dB", "with fp32 top-k", "top-k mismatch", "max error",
                 "Y-PSNR lost", "SSIM lost", "ORT", "OpenVINO", "difference"):  # fmt: skip
        table.add_column(name, justify="right")
    for line in made.report.lines:
        table.add_row(*_cells(line))
    return table


def _kept_table(made: Converted) -> Table:
    """Return the parts of the network that stay in a higher precision."""
    table = Table("part", "nodes", "reason", title="kept in a higher precision")
    counts = Counter((kept.part, kept.reason) for kept in made.kept)
    for (part, reason), count in counts.items():
        table.add_row(part, str(count), reason)
    return table


def _cells(line: Line) -> list[str]:
    speeds = ["-" if s is None else f"{s:.2f}x" for s in line.speed.values()]
    difference = or_dash(line.runtime_difference, "d")
    size = f"{line.size_bytes / 1e6:.2f}"
    quality = line.quality
    if quality is None:
        return [line.precision, size, *["-"] * 6, *speeds, difference]
    return [
        line.precision,
        size,
        f"{quality.psnr_db:.1f}",
        or_dash(quality.fp32_top_k_psnr_db, ".1f"),
        f"{100 * quality.mismatch_rate:.2f} %",
        str(quality.max_error),
        or_dash(quality.y_psnr_drop_db, ".3f"),
        or_dash(quality.ssim_drop, ".4f"),
        *speeds,
        difference,
    ]


def or_dash(value: float | None, form: str) -> str:
    """Return a formatted number, or a dash for None."""
    return "-" if value is None else format(value, form)
