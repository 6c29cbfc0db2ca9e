"""What ONNX Runtime spends its time on, and how much of the arithmetic peak each part reaches.

    python benchmarks/where_time_goes.py MODEL.onnx --size 256 -o FILE.json

Times are those of ONNX Runtime's own profiler, the median over runs, with sizes fixed as the
runtime fixes them. The peak is that of a large matrix product, measured in the same run.
"""

import json
import statistics
import tempfile
from collections import defaultdict
from math import prod
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime as ort
from report_file import write_report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.contract import CONTRACT
from drsformer.measuring.bench.machine import machine_peaks

PATH = click.Path(path_type=Path, exists=True, dir_okay=False)
AXES = ("batch", "height", "width")
PRODUCTS = ("MatMul", "FusedMatMul", "Gemm")


def profile(model: Path, side: int, threads: int, runs: int, folder: Path) -> list[dict[str, Any]]:
    """Return the profiler's events of every node and run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    for name, size in zip(AXES, (1, side, side), strict=True):
        options.add_free_dimension_override_by_name(name, size)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    for _ in track(range(runs + 1), "running", console=Console(stderr=True)):
        session.run(None, {CONTRACT.input_name: image})
    events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text())
    return [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]


def kind_and_macs(event: dict[str, Any]) -> tuple[str, int]:
    """Return the part that a node belongs to, and its multiply-accumulates."""
    operator = event["args"]["op_name"]
    inputs, (output, *_) = (
        [next(iter(tensor.values())) for tensor in event["args"][f"{side}_type_shape"]]
        for side in ("input", "output")
    )
    if operator == "Conv":
        _, summed, *kernel = inputs[1]
        if len(kernel) == 1:
            return "averages of LayerNorm", prod(output) * summed
        size = "x".join(map(str, kernel))
        kind = f"{size} depthwise" if summed == 1 else "1x1" if size == "1x1" else "other dense"
        return f"convolutions, {kind}", prod(output) * summed * prod(kernel)
    if operator in PRODUCTS:
        return "products", prod(output) * inputs[0][-1]
    return ("layout changes" if operator.startswith("Reorder") else "everything else"), 0


def summed_up(events: list[dict[str, Any]], runs: int) -> dict[str, tuple[float, int]]:
    """Return seconds (median over runs, without the first) and multiply-accumulates by kind."""
    seconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * (runs + 1))
    macs: dict[str, int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    for event in events:
        kind, count = kind_and_macs(event)
        run = seen[event["name"]]
        seen[event["name"]] += 1
        seconds[kind][run] += event["dur"] / 1e6
        macs[kind] += count if run == 0 else 0
    return {kind: (statistics.median(times[1:]), macs[kind]) for kind, times in seconds.items()}


@click.command()
@click.argument("model", type=PATH)
@click.option("--size", default=256, show_default=True, help="Side of the image, pixels.")
@click.option("--threads", default=2, show_default=True)
@click.option("--runs", default=5, show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(model: Path, size: int, threads: int, runs: int, output: Path) -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        parts = summed_up(profile(model, size, threads, runs, Path(folder)), runs)
    peak = machine_peaks(threads).float32_macs
    total = sum(seconds for seconds, _ in parts.values())
    table = Table("part", "seconds", "share", "G MAC", "of the peak")
    rows = []
    for kind, (seconds, macs) in sorted(parts.items(), key=lambda part: -part[1][0]):
        share, reached = seconds / total, macs / seconds / peak if macs else None
        rows.append({"part": kind, "seconds": seconds, "macs": macs, "of_peak": reached})
        shown = "" if reached is None else f"{reached:.0%}"
        table.add_row(kind, f"{seconds:.3f}", f"{share:.0%}", f"{macs / 1e9:.1f}", shown)
    table.add_row("total", f"{total:.3f}", "", f"{sum(m for _, m in parts.values()) / 1e9:.1f}", "")
    Console().print(table)
    write_report(
        output, __file__, model, size=size, threads=threads, runs=runs,
        peak_macs_per_second=peak, rows=rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
