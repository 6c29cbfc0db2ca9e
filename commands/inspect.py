"""`drs-export inspect`: what a file is and how it was made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Column, Table

from drsformer.contract import shape_text
from drsformer.errors import one_line
from drsformer.export.inspection import describe

from .options import FILE, packed
from .output import STDOUT, Output, output_options
from .sizes import SIZE

if TYPE_CHECKING:  # an engine is described without onnx
    from drsformer.export.cost import Cost, Costs

SHORT, LONG = 100, 4000  # longest value, characters, without and with -v
DETAIL = {("graph", "node types"), ("made by", "calibration"), ("made by", "rewrites")}


@dataclass(frozen=True)
class Options:
    """The options of `inspect`."""

    file: Path
    cost: bool
    size: tuple[int, int]
    output: Output


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--cost",
    is_flag=True,
    help="Count the arithmetic and the memory traffic of an ONNX FILE instead.",
)
@click.option(
    "--size",
    type=SIZE,
    default="256x256",
    show_default=True,
    help="Size of the input that --cost counts for, pixels.",
)
@output_options(
    "Print long lists in full: node types, rewrites, calibration; with --cost, explain the columns."
)
@packed(Options)
def inspect(options: Options) -> None:
    """Describe FILE, a checkpoint, an ONNX file or an engine, and how it was made."""
    file, output = options.file, options.output
    if options.cost:
        from drsformer.export.cost import cost_of_file

        height, width = options.size
        costs = cost_of_file(file, height=height, width=width)
        output.result(
            f"{file}: {costs.total.macs / 1e9:.2f} GMAC for an input of {shape_text(costs.shape)}"
        )
        _print_costs(costs, output)
        output.write_json(asdict(costs), inputs=[file])
        return
    description = describe(file)
    about = description["file"]
    output.result(f"{file}: {about['kind']}, {about['bytes'] / 1e6:.1f} MB")
    _print(_table_of(description, output.verbose), output)
    output.write_json(description, inputs=[file])


def _print(table: RenderableType, output: Output) -> None:
    Console(stderr=output.json_path == STDOUT).print(table)


def _table_of(description: dict[str, Any], verbose: bool) -> Table:
    """Return the sections one below the other; long lists are left out unless verbose."""
    table = Table("", "", Column("", overflow="fold"), show_header=False, box=None, pad_edge=False)
    for section, values in description.items():
        table.add_row(f"[bold]{section}[/bold]", "", "")
        for name, value in values.items():
            if verbose or (section, name) not in DETAIL:
                text = one_line(_shown(value), limit=LONG if verbose else SHORT)
                table.add_row("", name, escape(text))
    return table


def _print_costs(costs: Costs, output: Output) -> None:
    """Print a table by stage and one by kind of operator."""
    _print(_table_of_costs("stage", costs.by_stage, costs.total), output)
    _print(_table_of_costs("operator", costs.by_kind, costs.total), output)
    output.detail(
        "count: operators that multiply matrices; features: what each of them reads and writes, "
        "once, in float32, with everything between them fused"
    )


def _table_of_costs(title: str, rows: tuple[Cost, ...], total: Cost) -> Table:
    table = Table(title)
    for name in ("count", "GMAC", "share", "weights MB", "features MB"):
        table.add_column(name, justify="right")
    for row in (*rows, total):
        share = f"{100 * row.macs / total.macs:.1f} %"
        megabytes = (f"{size / 1e6:,.1f}" for size in (row.weight_bytes, row.feature_bytes))
        if row is total:
            table.add_section()
        table.add_row(row.part, f"{row.operators}", f"{row.macs / 1e9:.2f}", share, *megabytes)
    return table


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
