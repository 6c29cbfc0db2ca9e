"""What the commands print of a result that more than one of them makes."""

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drsformer.calibration.convert import Converted
from drsformer.calibration.evaluate.report import Line
from drsformer.contract import shape_text
from drsformer.export.check_against_pytorch import AgreementReport
from drsformer.export.onnx_from_checkpoint import Exported

from .output import Output

BRIEF = Output()


def print_exported(exported: Exported, output: Output = BRIEF) -> None:
    """Print the result of an export: one line, and the comparisons as detail."""
    report = exported.report
    output.result(
        f"{exported.path}: {exported.path.stat().st_size / 1e6:.1f} MB, {exported.nodes} nodes, "
        f"agrees with the checkpoint to {report.max_error:.1e}"
    )
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


def print_converted(made: Converted) -> None:
    console = Console()
    title = f"{made.path.name}, judged on {len(made.verdict.images)} images"
    table = Table(title=title, padding=(0, 0))
    for name in ("", "MB", "dB", "imposed", "swapped", "levels", "Y-PSNR", "SSIM", "ORT",
                 "OpenVINO", "apart"):  # fmt: skip
        table.add_column(name, justify="right")
    for line in made.verdict.lines:
        table.add_row(*_cells(line))
    console.print(table)
    click.echo(
        "dB: PSNR against float32; imposed: with float32's top-k selection; swapped: entries of "
        "it; levels: largest difference of 255; Y-PSNR, SSIM: lost against targets; ORT, OpenVINO: "
        "times float32's speed there; apart: largest difference between the two, levels"
    )
    parts: dict[tuple[str, str], int] = {}
    for kept in made.kept:
        parts[kept.part, kept.reason] = parts.get((kept.part, kept.reason), 0) + 1
    for (part, reason), count in parts.items():
        click.echo(f"kept higher: {part} ({count} nodes): {reason}")
    for cost in made.spared:
        click.echo(
            f"left in float16 for the budget: {cost.group}, {cost.quality.psnr_db:.1f} dB alone"
        )
    for words in made.verdict.words:
        click.echo(f"verdict: {words}")
    click.echo(f"{made.path}: written; {made.report_path}: every node that stayed higher, and why")


def _cells(line: Line) -> list[str]:
    speeds = ["-" if s is None else f"{s:.2f}x" for s in line.speed.values()]
    apart = or_dash(line.levels_apart, "d")
    size = f"{line.size_bytes / 1e6:.2f}"
    quality = line.quality
    if quality is None:
        return [line.precision, size, *["-"] * 6, *speeds, apart]
    return [
        line.precision,
        size,
        f"{quality.psnr_db:.1f}",
        or_dash(quality.imposed_psnr_db, ".1f"),
        f"{100 * quality.flip_rate:.2f} %",
        str(quality.max_levels),
        or_dash(quality.y_psnr_drop_db, ".3f"),
        or_dash(quality.ssim_drop, ".4f"),
        *speeds,
        apart,
    ]


def or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
