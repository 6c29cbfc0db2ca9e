"""`drs-export onnx`, `validate` and `inspect`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from drsformer.errors import AgreementError, one_line
from drsformer.files import written_whole
from drsformer.manifest import is_engine, manifest_path, read_manifest

from .agreement import OnStep, Report
from .cost import Costs, cost_of_file
from .deployment import Target
from .engine.validation import validate_engine
from .inspection import describe
from .onnx_from_checkpoint import (
    Exported,
    onnx_from_checkpoint,
    raise_unless_passed,
    validate_file,
)
from .onnx_from_model import DEFAULT_OPSET, ExportSettings

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The .onnx file to write.")
@click.option("--opset", default=DEFAULT_OPSET, show_default=True, help="Standard operator set.")
@click.option("--batch", type=int, help="Fix the batch size (default: dynamic).")
@click.option("--height", type=int, help="Fix the height, pixels, a multiple of 8.")
@click.option("--width", type=int, help="Fix the width, pixels, a multiple of 8.")
@click.option(
    "--target",
    type=click.Choice(get_args(Target)),
    default="any",
    show_default=True,
    help="The runtime to be fast in: ONNX Runtime on a CPU (more nodes), or OpenVINO.",
)
@click.option("--plain", is_flag=True, help="Export the untransformed network, for comparison.")
@click.option(
    "--io",
    type=click.Choice(["float32", "uint8"]),
    default="float32",
    show_default=True,
    help="Type of input and output; with uint8 pixels go in and pixels come out.",
)
def onnx(
    checkpoint: Path,
    output: Path,
    opset: int,
    batch: int | None,
    height: int | None,
    width: int | None,
    target: Target,
    plain: bool,
    io: Literal["float32", "uint8"],
) -> None:
    """Export CHECKPOINT to a validated ONNX file.

    The file is written only if ONNX Runtime gives the same output as the plain PyTorch network.
    The report lies beside it as FILE.validation.json.
    """
    settings = ExportSettings(opset, batch, height, width, plain, target, io)
    with steps() as on_step:
        exported = onnx_from_checkpoint(checkpoint, output, settings, on_step=on_step)
    print_exported(exported)


@click.command()
@click.argument("file", type=FILE)
@click.option("--checkpoint", type=FILE, help="What an ONNX FILE was exported from.")
@click.option("--json", "json_path", type=FILE, help="Also write the report to this file.")
def validate(file: Path, checkpoint: Path | None, json_path: Path | None) -> None:
    """Compare an exported FILE with its checkpoint, or an engine with its ONNX file.

    An ONNX file is compared stage by stage. An engine is compared with its manifest and, where
    there is a GPU, with ONNX Runtime; without one it is said what could not be done.
    """
    if is_engine(file):
        if checkpoint is not None:
            raise click.UsageError("an engine is validated without --checkpoint.")
        _validate_engine(file, json_path)
        return
    if checkpoint is None:
        raise click.UsageError("give --checkpoint, what FILE was exported from.")
    with steps() as on_step:
        report = validate_file(file, checkpoint, on_step=on_step)
    Console().print(_report_table(report))
    if json_path:
        with written_whole(json_path, inputs=[file, checkpoint]) as temporary:
            temporary.write_text(report.to_json())
    row = report.first_divergence
    if row is not None:
        click.echo(f"first to diverge: {row.tensor}, {row.psnr_db} dB")
    remedy = "export it again from this checkpoint"
    raise_unless_passed(report, file, remedy=remedy)
    click.echo(f"{file}: agrees with {checkpoint}")


def _validate_engine(file: Path, json_path: Path | None) -> None:
    with steps() as on_step:
        report = validate_engine(file, on_step=on_step)
    table = Table("check", "outcome", Column("", overflow="fold"))
    for check in report.checks:
        table.add_row(check.what, check.outcome, escape(check.detail))
    Console().print(table)
    for one in report.comparisons:
        if not one.decides:
            click.echo(f"{one.tensor} at {one.shape}: {one.detail}")
    if json_path:
        beside = file.with_name(read_manifest(file).onnx_file)
        with written_whole(json_path, inputs=[file, manifest_path(file), beside]) as temporary:
            temporary.write_text(report.to_json())
    missing = [check.what for check in report.checks if check.outcome == "not done"]
    differing = [check.what for check in report.checks if check.outcome == "differs"]
    if differing:
        raise AgreementError(f"{file} is not what it should be: {', '.join(differing)}")
    if missing:
        click.echo(f"{file}: nothing differs, but not done here: {', '.join(missing)}")
    else:
        click.echo(f"{file}: agrees with its manifest, its ONNX file and ONNX Runtime")


@click.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--cost", is_flag=True, help="Count what an ONNX file computes and moves, instead.")
@click.option("--height", default=256, show_default=True, help="For --cost, pixels.")
@click.option("--width", default=256, show_default=True, help="For --cost, pixels.")
def inspect(file: Path, as_json: bool, cost: bool, height: int, width: int) -> None:
    """Show what a checkpoint, an ONNX FILE or an engine is and how it was made."""
    if cost:
        costs = cost_of_file(file, height=height, width=width)
        if as_json:
            click.echo(json.dumps(asdict(costs), indent=2))
        else:
            _print_costs(costs)
        return
    description = describe(file)
    if as_json:
        click.echo(json.dumps(description, indent=2))
        return
    table = Table("", "", Column("", overflow="fold"), show_header=False, box=None, pad_edge=False)
    for section, values in description.items():
        table.add_row(f"[bold]{section}[/bold]", "", "")
        for name, value in values.items():
            table.add_row("", name, escape(one_line(_shown(value), limit=4000)))
    Console().print(table)


def print_exported(exported: Exported) -> None:
    """Print the summary of an export."""
    Console().print(_report_table(exported.report))
    if exported.report.rewrite_error_float64 is not None:
        error = exported.report.rewrite_error_float64
        click.echo(f"rewritten against plain network in float64: max error {error:.1e}")
    size = exported.path.stat().st_size / 1e6
    click.echo(
        f"{exported.path}: {size:.1f} MB, {exported.nodes} nodes, agrees with the checkpoint"
    )
    click.echo(f"{exported.report_path}: the validation report")


def _print_costs(costs: Costs) -> None:
    """Print a table by stage and one by kind of operator."""
    for title, rows in (("stage", costs.by_stage), ("operator", costs.by_kind)):
        table = Table(title)
        for name in ("count", "GMAC", "share", "weights MB", "features MB"):
            table.add_column(name, justify="right")
        for row in (*rows, costs.total):
            share = f"{100 * row.macs / costs.total.macs:.1f} %"
            megabytes = (f"{size / 1e6:,.1f}" for size in (row.weight_bytes, row.feature_bytes))
            if row is costs.total:
                table.add_section()
            table.add_row(row.part, f"{row.operators}", f"{row.macs / 1e9:.2f}", share, *megabytes)
        Console().print(table)
    click.echo(
        f"for an input of {'x'.join(map(str, costs.shape))}; features: what each of these "
        "operators reads and writes, once, in float32, everything between them fused"
    )


@contextmanager
def steps() -> Iterator[OnStep]:
    """Show on stderr what is being done."""
    console = Console(stderr=True)
    with console.status("") as status:
        yield lambda step: status.update(step)


def _report_table(report: Report) -> Table:
    table = Table("input", "tensor", "max error", "mean error", "PSNR dB", "")
    for row in report.rows:
        table.add_row(
            "x".join(map(str, row.shape)),
            row.tensor,
            f"{row.max_error:.1e}",
            f"{row.mean_error:.1e}",
            "equal" if row.psnr_db is None else f"{row.psnr_db:.1f}",
            "ok" if row.passed else "[red]differs[/red]",
        )
    return table


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
