"""Measures what fitting an image to a model of one size changes, against a model of any size.

    python benchmarks/fixed_sizes.py CHECKPOINT -o benchmarks/results/FILE.json

The images are rainy photographs of scikit-image, brought to each size by mirroring or cutting. The
model of any size derains them whole, or in the same tiles where whole would take too much memory.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
from report_file import write_report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.calibration.photos import bundled_photo
from drsformer.calibration.rain import rainy_from_clean, sample_rain
from drsformer.contract import Image
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.metrics import psnr, y_psnr
from drsformer.runtime import Derainer

SIDE = 512  # pixels, of the model of one size
SIZES = ((40, 40), (481, 321), (60, 2000), (512, 512), (3000, 2000))  # height, width
MOST_WHOLE = 10**6  # pixels, of what is derained whole
RAINS = ("light", "medium", "heavy")
FILE = click.Path(path_type=Path, dir_okay=False)


def pair(height: int, width: int, rain: str) -> tuple[Image, Image]:
    """Return a rainy photograph of this size and the clean one, uint8 RGB."""
    rng = np.random.default_rng(height)
    photo = bundled_photo("coffee")
    missing = (max(0, height - photo.shape[0]), max(0, width - photo.shape[1]))
    larger = np.pad(photo, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="reflect")
    clean = np.ascontiguousarray(larger[:height, :width])
    return rainy_from_clean(clean, sample_rain(rng, rain), rng), clean


def measure(folder: Path, checkpoint: Path) -> dict[str, dict[str, object]]:
    """Return, by size and rain, the PSNR of the two models' images and each one's gain, dB."""
    fixed = ExportSettings(batch=1, height=SIDE, width=SIDE)
    onnx_from_checkpoint(checkpoint, folder / "free.onnx", ExportSettings())
    onnx_from_checkpoint(checkpoint, folder / "fixed.onnx", fixed)
    found: dict[str, dict[str, object]] = {}
    cases = [
        (size, rain)
        for size in SIZES
        for rain in (RAINS if size[0] * size[1] <= MOST_WHOLE else RAINS[-1:])
    ]
    for (height, width), rain in track(cases, "deraining", console=Console(stderr=True)):
        image, clean = pair(height, width, rain)
        tile = None if height * width <= MOST_WHOLE else SIDE
        with Derainer(folder / "fixed.onnx") as one_size:
            fitted = one_size.derain(image)
        with Derainer(folder / "free.onnx", tile=tile) as any_size:
            free = any_size.derain(image)
        error, before = psnr(fitted, free), y_psnr(image, clean)
        found[f"{height}x{width}, {rain}"] = {
            "free model": "whole" if tile is None else f"tiles of {tile}",
            "psnr_db": None if np.isinf(error) else round(error, 2),
            "gain_db": round(y_psnr(fitted, clean) - before, 2),
            "gain_of_free_db": round(y_psnr(free, clean) - before, 2),
        }
    return found


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The JSON file to write.")
def main(checkpoint: Path, output: Path) -> None:
    """Measure CHECKPOINT and write a JSON file."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), checkpoint)
    write_report(output, __file__, checkpoint, side=SIDE, sizes=found)
    table = Table("image and rain", "model of any size", "PSNR", "gain", "its gain", title="dB")
    for size, values in found.items():
        table.add_row(
            size, *("equal" if value is None else str(value) for value in values.values())
        )
    Console().print(table)


if __name__ == "__main__":
    main()
