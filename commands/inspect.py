"""`drs-export inspect`: what a file is and how it was made."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from drsformer.contract import shape_text
from drsformer.errors import one_line
from drsformer.export.cost import Costs, cost_of_file
from drsformer.export.inspection import describe

FILE = click.Path(path_type=Path, dir_okay=False)


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
        f"for an input of {shape_text(costs.shape)}; features: what each of these "
        "operators reads and writes, once, in float32, everything between them fused"
    )


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
