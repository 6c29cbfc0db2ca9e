"""`drs-export demo`: export the shipped checkpoint, add rain to a photo, and derain it."""

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
from drsformer.runtime.media.picture_writer import write_image
from drsformer.runtime.media.pictures import Picture, read_image

from .output import Output, output_options
from .progress import progress

WEIGHTS = Path(drsformer.__file__).parent / "weights" / "demo.safetensors"
DEFAULT_PHOTO = "astronaut"  # of scikit-image, public domain (NASA)


@dataclass(frozen=True)
class Demo:
    """The files of a demonstration, and its figures.

    Attributes:
        model: the exported ONNX file.
        rainy: the photo with synthetic rain.
        derained: the photo after the model removed the rain.
        side_by_side: both in one picture.
        rainy_psnr: Y-PSNR of the rainy photo against the clean one, dB.
        derained_psnr: Y-PSNR of the derained photo against the clean one, dB.
    """

    model: Path
    rainy: Path
    derained: Path
    side_by_side: Path
    rainy_psnr: float
    derained_psnr: float

    @property
    def gain(self) -> float:
        """How much closer to the clean photo the derained one is than the rainy one, dB."""
        return self.derained_psnr - self.rainy_psnr

    def to_dict(self) -> dict[str, Any]:
        """Return the demonstration as plain values."""
        return {
            "model": str(self.model),
            "rainy": str(self.rainy),
            "derained": str(self.derained),
            "side_by_side": str(self.side_by_side),
            "rainy_y_psnr_db": self.rainy_psnr,
            "derained_y_psnr_db": self.derained_psnr,
            "gain_db": self.gain,
        }


@click.command()
@click.option(
    "--output", "-o", "folder", type=click.Path(path_type=Path), default=Path("demo"),
    show_default=True, help="Folder for the model and the pictures; it is made if it is missing.",
)  # fmt: skip
@click.option(
    "--photo",
    type=click.Path(path_type=Path),
    help="A clean photo of your own.  [default: the astronaut of scikit-image]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=6, show_default=True, help="Seed of the rain."
)
@output_options("Print the path of the validation report too.")
def demo(folder: Path, photo: Path | None, seed: int, output: Output) -> None:
    """Export the shipped checkpoint, add synthetic rain to a photo, and derain it.

    Files written: demo.onnx, demo.validation.json, rainy.png, derained.png and side_by_side.png.
    """
    with progress() as context:
        made = run_demo(folder, photo, seed, context)
    output.result(
        f"{made.derained}: {made.derained_psnr:.2f} dB, {made.gain:+.2f} dB Y-PSNR over the rainy "
        "photo"
    )
    output.result(f"{made.rainy}: the photo with synthetic rain, {made.rainy_psnr:.2f} dB")
    output.result(f"{made.side_by_side}: both, side by side")
    output.result(f"{made.model}: the exported model, which ONNX Runtime ran on the CPU")
    output.detail(f"{made.model.with_suffix('.validation.json')}: the model agrees with PyTorch")
    output.write_json(made.to_dict(), inputs=filter(None, [photo]))


def run_demo(folder: Path, photo: Path | None, seed: int, context: Context = QUIET) -> Demo:
    """Make the demonstration's files in a folder.

    Args:
        folder: the folder to write into; made if it is missing.
        photo: a clean photo, or None for scikit-image's astronaut.
        seed: seed of the rain; the same seed gives the same files.
        context: is told about progress.

    Returns:
        The paths of the files, and the figures.

    Raises:
        DRSformerError: the photo cannot be read, or the folder cannot be written.
    """
    clean = _clean_photo(photo)
    rainy = _rain_on(clean, seed)
    context.step("exporting the shipped checkpoint")
    model = folder / "demo.onnx"
    onnx_from_checkpoint(WEIGHTS, model, ExportSettings(), context)
    context.step("deraining")
    with Derainer(model) as derainer:
        derained = derainer.derain(rainy)
    paths = [folder / name for name in ("rainy.png", "derained.png", "side_by_side.png")]
    pictures = [Picture(rainy), Picture(derained), side_by_side(rainy, derained)]
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
        raise ImageError(f"{photo} has {rgb.dtype} samples; expected an 8-bit photo")
    return rgb


def _rain_on(clean: Any, seed: int) -> Any:
    """Add heavy rain; the same seed gives the same rain."""
    rng = np.random.default_rng(seed)
    return rainy_from_clean(clean, sample_rain(rng, "heavy"), rng)
