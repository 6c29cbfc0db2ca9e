"""`drs-export demo`: the shipped checkpoint, a photo, rain on it, and the rain gone again.

The one command that needs several stages; it calls each through its public functions.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from drsformer.errors import ImageError
from drsformer.files import written_whole

WEIGHTS = Path(__file__).parent / "weights" / "demo.safetensors"
DEFAULT_PHOTO = "astronaut"  # of scikit-image, public domain (NASA)


@dataclass(frozen=True)
class Demo:
    """What the demonstration made.

    Attributes:
        model: the exported ONNX file.
        rainy: the photo with synthetic rain.
        derained: what the model made of it.
        side_by_side: both in one picture.
        rainy_psnr: Y-PSNR of the rainy photo against the clean one, dB.
        derained_psnr: Y-PSNR of the derained photo, dB.
    """

    model: Path
    rainy: Path
    derained: Path
    side_by_side: Path
    rainy_psnr: float
    derained_psnr: float


@click.command()
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), default=Path("demo"), show_default=True,
    help="Folder to write into.",
)  # fmt: skip
@click.option("--photo", type=click.Path(path_type=Path), help="Your own clean photo.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=6, show_default=True, help="Which rain falls."
)
def demo(output: Path, photo: Path | None, seed: int) -> None:
    """Export the shipped checkpoint, let it rain on a photo, and derain it."""
    cli = importlib.import_module("drsformer.export.cli")
    with cli.steps() as on_step:
        made = run_demo(output, photo, seed, on_step=on_step)
    for path, what in (
        (made.model, "the exported model, validated against the checkpoint"),
        (made.rainy, f"the photo with synthetic rain, {made.rainy_psnr:.2f} dB"),
        (made.derained, f"derained by ONNX Runtime on the CPU, {made.derained_psnr:.2f} dB"),
        (made.side_by_side, "both side by side"),
    ):
        click.echo(f"{path}: {what}")
    gain = made.derained_psnr - made.rainy_psnr
    click.echo(f"gain: {gain:+.2f} dB Y-PSNR")


def run_demo(output: Path, photo: Path | None, seed: int, *, on_step: Any) -> Demo:
    """Make the demonstration's files in `output`.

    Args:
        output: a folder; made if it is not there.
        photo: a clean photo, or None for scikit-image's astronaut.
        seed: which rain falls; the same seed gives the same files.
        on_step: told what is being done.

    Returns:
        Where things are and the figures.

    Raises:
        DRSformerError: the photo cannot be read, or the folder cannot be written.
    """
    exporting = importlib.import_module("drsformer.export.onnx_from_checkpoint")
    images = importlib.import_module("drsformer.runtime.images")
    metrics = importlib.import_module("drsformer.runtime.metrics")
    compare = importlib.import_module("drsformer.runtime.compare")
    runtime = importlib.import_module("drsformer.runtime")

    clean = _clean_photo(photo)
    rainy = _rain_on(clean, seed)
    on_step("exporting the shipped checkpoint")
    settings = importlib.import_module("drsformer.export.onnx_from_model").ExportSettings()
    model = output / "demo.onnx"
    exporting.onnx_from_checkpoint(WEIGHTS, model, settings, on_step=on_step)
    on_step("deraining")
    with runtime.Derainer(model) as derainer:
        derained = derainer.derain(rainy)
    paths = [output / name for name in ("rainy.png", "derained.png", "side_by_side.png")]
    pictures = [
        images.Picture(rainy),
        images.Picture(derained),
        compare.side_by_side(rainy, derained),
    ]
    for path, picture in zip(paths, pictures, strict=True):
        with written_whole(path, inputs=filter(None, [photo])) as temporary:
            images.write_image(picture, temporary)
    psnrs = (metrics.y_psnr(rainy, clean), metrics.y_psnr(derained, clean))
    return Demo(model, paths[0], paths[1], paths[2], *psnrs)


def _clean_photo(photo: Path | None) -> Any:
    """Return the photo as uint8 (H, W, 3) RGB."""
    if photo is None:
        return importlib.import_module("drsformer.calibration.photos").bundled_photo(DEFAULT_PHOTO)
    rgb = importlib.import_module("drsformer.runtime.images").read_image(photo).rgb
    if rgb.dtype != np.uint8:
        raise ImageError(f"{photo} has {rgb.dtype} samples; the demonstration takes 8-bit photos")
    return rgb


def _rain_on(clean: Any, seed: int) -> Any:
    """Let heavy rain fall, the same for the same seed."""
    rain = importlib.import_module("drsformer.calibration.rain")
    rng = np.random.default_rng(seed)
    return rain.rainy_from_clean(clean, rain.sample_rain(rng, "heavy"), rng)
