"""Time the deployed graph against the plain one in ONNX Runtime, side by side in one run.

    python benchmarks/deployed_vs_plain.py PLAIN.onnx DEPLOYED.onnx -o benchmarks/results/FILE.json

The two run alternately, A B A B ..., so that a machine that slows down slows both; what is quoted
is the median of the ratios pair by pair. Make the files with `drs-export onnx`, with and without
--plain.
"""

import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from drsformer.contract import CONTRACT
from drsformer.files import written_whole


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a file on the CPU with a fixed number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def timed_run(session: onnxruntime.InferenceSession, image: NDArray[np.float32]) -> float:
    """Return the seconds that one run takes."""
    start = time.perf_counter()
    session.run(None, {CONTRACT.input_name: image})
    return time.perf_counter() - start


def measure(paths: dict[str, Path], size: int, threads: int, pairs: int) -> dict[str, Any]:
    """Run both files alternately after a warm-up; return seconds and ratios."""
    image = np.random.default_rng(0).random((1, 3, size, size), np.float32)
    sessions = {name: open_session(path, threads) for name, path in paths.items()}
    outputs = [s.run(None, {CONTRACT.input_name: image})[0] for s in sessions.values()]
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in track(range(pairs), f"{size}x{size}", console=Console(stderr=True)):
        for name, session in sessions.items():
            times[name].append(timed_run(session, image))
    ratios = [plain / deployed for plain, deployed in zip(*times.values(), strict=True)]
    return {
        "size": size,
        "threads": threads,
        "pairs": pairs,
        "seconds": {name: [round(t, 4) for t in ts] for name, ts in times.items()},
        "median_seconds": {name: round(statistics.median(ts), 4) for name, ts in times.items()},
        "speedup_median": round(statistics.median(ratios), 3),
        "speedup_min": round(min(ratios), 3),
        "speedup_max": round(max(ratios), 3),
        "max_difference": float(np.abs(outputs[0] - outputs[1]).max()),
    }


def describe(path: Path) -> dict[str, Any]:
    """Say what a file is, from its metadata."""
    proto = onnx.load(path)
    metadata = {p.key: p.value for p in proto.metadata_props}
    return {
        "form": metadata["form"],
        "nodes": len(proto.graph.node),
        "bytes": path.stat().st_size,
        "config": json.loads(metadata["config"]),
    }


@click.command()
@click.argument("plain", type=click.Path(path_type=Path, exists=True))
@click.argument("deployed", type=click.Path(path_type=Path, exists=True))
@click.option("--size", "sizes", type=int, multiple=True, default=(256,), show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--pairs", default=7, show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(
    plain: Path, deployed: Path, sizes: tuple[int, ...], threads: int, pairs: int, output: Path
) -> None:
    """Measure PLAIN against DEPLOYED and write the figures to a JSON file."""
    paths = {"plain": plain, "deployed": deployed}
    result = {
        "script": "benchmarks/deployed_vs_plain.py",
        "machine": {"arch": platform.machine(), "os": platform.system()},
        "onnxruntime": onnxruntime.__version__,
        "files": {name: describe(path) for name, path in paths.items()},
        "runs": [measure(paths, size, threads, pairs) for size in sizes],
    }
    with written_whole(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")
    for run in result["runs"]:
        click.echo(
            f"{run['size']}x{run['size']}, {threads} threads: deployed is "
            f"{run['speedup_median']:.2f} times as fast ({run['speedup_min']:.2f} to "
            f"{run['speedup_max']:.2f}), outputs differ by {run['max_difference']:.1e}"
        )


if __name__ == "__main__":
    main()
