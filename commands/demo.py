"""`drs-export demo`: the shipped checkpoint, a photo, rain on it, and the rain gone again.

The one command that needs several stages; it calls each through its public functions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import drsformer
from drsformer.calibration.photos import bundled_photo
from drsformer.calibration.rain import rainy_from_clean, sample_rain
from drsformer.context import QUIET, Context
from drsformer.errors import ImageError
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.files import written_whole
from drsformer.metrics import y_psnr
from drsformer.runtime import Derainer
from drsformer.runtime.media.comparison import side_by_side
from drsformer.runtime.media.pictures import Picture, read_image, write_image

from .progress import progress

WEIGHTS = Path(drsformer.__file__).parent / "weights" / "demo.safetensors"
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
    with progress() as context:
        made = run_demo(output, photo, seed, context)
    for path, what in (
        (made.model, "the exported model, validated against the checkpoint"),
        (made.rainy, f"the photo with synthetic rain, {made.rainy_psnr:.2f} dB"),
        (made.derained, f"derained by ONNX Runtime on the CPU, {made.derained_psnr:.2f} dB"),
        (made.side_by_side, "both side by side"),
    ):
        click.echo(f"{path}: {what}")
    gain = made.derained_psnr - made.rainy_psnr
    click.echo(f"gain: {gain:+.2f} dB Y-PSNR")


def run_demo(output: Path, photo: Path | None, seed: int, context: Context = QUIET) -> Demo:
    """Make the demonstration's files in `output`.

    Args:
        output: a folder; made if it is not there.
        photo: a clean photo, or None for scikit-image's astronaut.
        seed: which rain falls; the same seed gives the same files.
        context: is told about progress.

    Returns:
        Where things are and the figures.

    Raises:
        DRSformerError: the photo cannot be read, or the folder cannot be written.
    """
    clean = _clean_photo(photo)
    rainy = _rain_on(clean, seed)
    context.step("exporting the shipped checkpoint")
    model = output / "demo.onnx"
    onnx_from_checkpoint(WEIGHTS, model, ExportSettings(), context)
    context.step("deraining")
    with Derainer(model) as derainer:
        derained = derainer.derain(rainy)
    paths = [output / name for name in ("rainy.png", "derained.png", "side_by_side.png")]
    pictures = [
        Picture(rainy),
        Picture(derained),
        side_by_side(rainy, derained),
    ]
    for path, picture in zip(paths, pictures, strict=True):
        with written_whole(path, inputs=filter(None, [photo])) as temporary:
            write_image(picture, temporary)
    psnrs = (y_psnr(rainy, clean), y_psnr(derained, clean))
    return Demo(model, paths[0], paths[1], paths[2], *psnrs)


def _clean_photo(photo: Path | None) -> Any:
    """Return the photo as uint8 (H, W, 3) RGB."""
    if photo is None:
        return bundled_photo(DEFAULT_PHOTO)
    rgb = read_image(photo).rgb
    if rgb.dtype != np.uint8:
        raise ImageError(f"{photo} has {rgb.dtype} samples; the demonstration takes 8-bit photos")
    return rgb


def _rain_on(clean: Any, seed: int) -> Any:
    """Let heavy rain fall, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return rainy_from_clean(clean, sample_rain(rng, "heavy"), rng)
