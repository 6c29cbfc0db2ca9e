"""Measures the engines that TensorRT-RTX builds in each precision; needs no GPU.

    python benchmarks/engines.py FP32.onnx FP16.onnx ... -o FILE.json

Per file: build time, peak memory of the whole process, and how many bytes of the engine are kernel
source. TensorRT-RTX stores kernels as CUDA source and compiles it when it loads the engine; blocks
of readable text are counted as source.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from report_file import write_report

from drsformer.engine.manifest import manifest_of

PATH = click.Path(path_type=Path, dir_okay=False)
BLOCK = 4096  # bytes
READABLE = 0.85  # share of printable bytes in a block of text


@click.command()
@click.argument("models", type=PATH, nargs=-1, required=True)
@click.option("--gpu", default="sm_89", show_default=True)
@click.option("--shapes", default="tile", show_default=True)
@click.option("--output", "-o", type=PATH, required=True)
def main(models: tuple[Path, ...], gpu: str, shapes: str, output: Path) -> None:
    """Build an engine of each model, and print its figures."""
    rows = []
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            engine = Path(folder) / "x.engine"
            seconds, peak = built(model, engine, gpu, shapes)
            rows.append(described(model, engine) | {"seconds": seconds, "peak_rss_bytes": peak})
        click.echo(rows[-1])
    write_report(output, __file__, models[0], target=gpu, shapes=shapes, rows=rows)


def built(model: Path, engine: Path, gpu: str, shapes: str) -> tuple[float, int]:
    """Build in a separate process; return seconds and peak resident bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", "from drsformer.commands.main import main; main()", "trt", model,
         "--library", "rtx", "--gpu", gpu, "--shapes", shapes, "-o", engine],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{model}: exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def described(model: Path, engine: Path) -> dict[str, Any]:
    """Return the figures of an engine."""
    manifest = manifest_of(engine)
    content = np.fromfile(engine, np.uint8)
    blocks = content[: content.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    printable = ((blocks >= 32) & (blocks < 127)) | (blocks == 9) | (blocks == 10)
    text = int((printable.mean(axis=1) > READABLE).sum()) * BLOCK
    return {
        "precision": manifest.precision,
        "version": manifest.version,
        "onnx_bytes": model.stat().st_size,
        "engine_bytes": manifest.engine_bytes,
        "source_text_bytes": text,
        "kernels": content.tobytes().count(b"__global__"),
        "layers": manifest.layers,
    }


if __name__ == "__main__":
    main()
