"""Measures how close every CPU backend comes to PyTorch in float32, image by image.

    python benchmarks/backend_psnr.py CHECKPOINT IMAGE... -o benchmarks/results/FILE.json

The reference is the plain network in PyTorch; outputs are compared clamped, before they become
8-bit levels. The backends are candidates of `drs-export bench`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.contract import input_from_image
from drsformer.export.deployment import Runtime
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.files import written_whole
from drsformer.measuring.bench.candidates import CANDIDATES, CandidateFiles
from drsformer.measuring.bench.measure import psnr_of_clamped
from drsformer.measuring.bench.report import machine, versions
from drsformer.runtime.media.pictures import read_image

REFERENCE = "pytorch"
BACKENDS = ("deployed", "deployed-any", "openvino", "pytorch-bf16", "openvino-bf16")
PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


def export(checkpoint: Path, folder: Path) -> CandidateFiles:
    """Export the checkpoint for every runtime."""
    made = {}
    for runtime in get_args(Runtime):
        made[runtime] = folder / f"{runtime}.onnx"
        onnx_from_checkpoint(checkpoint, made[runtime], ExportSettings(runtime=runtime))
    return CandidateFiles(checkpoint, **made)


def measure(
    files: CandidateFiles, images: list[Path], threads: int
) -> dict[str, dict[str, float | None]]:
    """Return PSNR in dB by backend and image; None where the outputs are equal."""
    batches = {path.name: input_from_image(read_image(path).rgb) for path in images}
    outputs: dict[str, dict[str, Any]] = {}
    names = (REFERENCE, *BACKENDS)
    for name in track(names, "deraining", console=Console(stderr=True)):
        network = CANDIDATES[name].open(files, threads)
        outputs[name] = {image: np.array(network(batch)) for image, batch in batches.items()}
    return {
        name: {
            image: psnr_of_clamped(output, outputs[REFERENCE][image])
            for image, output in outputs[name].items()
        }
        for name in BACKENDS
    }


@click.command()
@click.argument("checkpoint", type=PATH)
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(checkpoint: Path, images: tuple[Path, ...], threads: int, output: Path) -> None:
    """Measure each backend's PSNR, print a table and write a JSON file."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(export(checkpoint, Path(folder)), list(images), threads)
    table = Table("image", *BACKENDS, title=f"PSNR against PyTorch float32, dB: {checkpoint.name}")
    for image in images:
        row = (figures[name][image.name] for name in BACKENDS)
        table.add_row(image.name, *("equal" if db is None else f"{db:.1f}" for db in row))
    Console().print(table)
    report = {
        "script": "benchmarks/backend_psnr.py",
        "checkpoint": checkpoint.name,
        "machine": machine(),
        "versions": versions(),
        "psnr_db": figures,
    }
    with written_whole(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
