"""Compares the memory that is predicted for a run with what it takes, for nine sizes.

    python benchmarks/memory_by_size.py --run MODEL.onnx cpu --run MODEL.onnx openvino \
        -o benchmarks/results/memory_by_size.json [--small]

Each size is run in a process of its own. What a run takes is the peak resident memory beyond that
of the opened model, before anything was run. `--small` takes sizes up to 512x512.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from drsformer.files import sha256_of, written_whole
from drsformer.measuring.bench.report import machine, versions
from drsformer.runtime.memory_need import measured_need, need_here
from drsformer.runtime.model import Model
from drsformer.runtime.options import RunOptions

SIZES = ("128x128", "192x256", "256x256", "256x512", "384x384", "512x512", "480x640", "768x768",
         "1024x1024")  # fmt: skip
SMALL = ("128x128", "128x192", "192x192", "192x256", "256x256", "256x384", "384x384", "384x512",
         "512x512")  # fmt: skip
PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


def taken(model: Path, provider: str, threads: int, size: str) -> int:
    """Return the bytes that a run of this size takes, measured in a new process."""
    command = [sys.executable, __file__, "--one", str(model), provider, str(threads), size]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def one(model: str, provider: str, threads: str, size: str) -> None:
    """Body of that process."""
    height, width = map(int, size.split("x"))
    opened = Model(Path(model), RunOptions(provider, int(threads)))
    need = need_here(opened, height, width, as_large=opened.is_large(height * width))
    print(need.bytes_of(height * width))


def rows_of(model: Path, provider: str, threads: int, sizes: tuple[str, ...]) -> dict[str, Any]:
    """Return what was predicted and what was taken, by size."""
    need = measured_need(model, RunOptions(provider, threads), as_large=False)
    rows = {}
    for size in sizes:
        height, width = map(int, size.split("x"))
        predicted, found = need.bytes_of(height * width), taken(model, provider, threads, size)
        error = predicted / found - 1
        rows[size] = {
            "predicted_bytes": predicted,
            "taken_bytes": found,
            "error_percent": round(100 * error, 1),
        }
        click.echo(f"{model.name} {provider} {size}: {found / 1e6:.0f} MB, {100 * error:+.1f} %")
    return {
        "fixed_bytes": need.fixed,
        "bytes_per_pixel": round(need.per_pixel, 1),
        "largest_error_percent": max(abs(row["error_percent"]) for row in rows.values()),
        "sizes": rows,
    }


@click.command()
@click.option("--run", "runs", type=(PATH, str), multiple=True, required=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--small", is_flag=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(runs: tuple[tuple[Path, str], ...], threads: int, small: bool, output: Path) -> None:
    """Measure, and add the runs to the file where it exists."""
    known = json.loads(output.read_text())["runs"] if output.exists() else []
    found = [
        {
            "model": model.name,
            "model_sha256": sha256_of(model),
            "provider": provider,
            **rows_of(model, provider, threads, SMALL if small else SIZES),
        }
        for model, provider in runs
    ]
    report = {
        "script": "benchmarks/memory_by_size.py",
        "threads": threads,
        "runs": [*known, *found],
        "machine": machine(),
        "versions": versions(),
    }
    with written_whole(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main()
