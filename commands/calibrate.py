"""`drs-export calibrate`: takes the scales of a quantised model from images."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
from rich.table import Table

from drsformer.calibration.clipping import ClippingMethod
from drsformer.calibration.crops import CROP_COUNT, CROP_SIDE, FEWEST_IMAGES
from drsformer.calibration.mixed_precision import check_convertible
from drsformer.calibration.quantize import QUANTIZED_DTYPES
from drsformer.calibration.scales import Scales
from drsformer.calibration.scales_from_images import DEFAULT_METHOD, scales_from_images
from drsformer.export.graph import load_onnx
from drsformer.files import written_whole

from .options import FILE, FOLDER, THREADS_HELP, packed
from .output import Output, output_options
from .prerequisites import crops_of
from .progress import progress


@dataclass(frozen=True)
class CalibrateOptions:
    """The command's options, as the user gave them."""

    model: Path
    output_path: Path
    images: Path | None
    count: int
    crop: int
    method: ClippingMethod
    precision: str
    threads: int | None
    output: Output


@click.command()
@click.argument("model", type=FILE)
@click.option("--output", "-o", "output_path", type=FILE, required=True,
              help="The scales file to write (.json).")  # fmt: skip
@click.option("--images", type=FOLDER,
              help=f"Folder of at least {FEWEST_IMAGES} rainy images, or a folder with them in "
              "input/.  [default: synthetic rain on photos of scikit-image, extra "
              "`calibration`]")  # fmt: skip
@click.option("--count", default=CROP_COUNT, show_default=True,
              help="Number of crops in all, taken from the images in turn.")  # fmt: skip
@click.option("--crop", default=CROP_SIDE, show_default=True,
              help="Side of the square crops, pixels, a multiple of 8.")  # fmt: skip
@click.option("--method", type=click.Choice(get_args(ClippingMethod)), default=DEFAULT_METHOD,
              show_default=True, help="How the largest value that a quantised tensor can hold is "
              "chosen. minmax: nothing is clipped; percentile: the rarest values are; mse: the "
              "least squared error.")  # fmt: skip
@click.option("--precision", type=click.Choice(list(QUANTIZED_DTYPES)), default="int8",
              show_default=True, help="The precision that the scales are for.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help=THREADS_HELP)
@output_options("Print the scale of each tensor too.")
@packed(CalibrateOptions)
def calibrate(options: CalibrateOptions) -> None:
    """Measure how large the tensors of MODEL get on rainy images, and write their scales.

    MODEL is a float32 ONNX file. `convert` and `trt` take the scales with --scales.
    """
    model, output = options.model, options.output
    check_convertible(load_onnx(model), str(model))
    crops = crops_of(options.images, options.count, options.crop, output)
    with (
        written_whole(options.output_path, inputs=[model]) as temporary,
        progress() as context,
    ):
        scales = scales_from_images(
            model, crops, precision=options.precision, method=options.method,
            threads=options.threads, context=context,
        )  # fmt: skip
        temporary.write_text(scales.to_json())
    output.result(f"{options.output_path}: {len(scales.tensors)} scales from {crops.source}")
    output.detail(_scales_table(scales))
    result = {
        "path": str(options.output_path),
        "scales": len(scales.tensors),
        "images": scales.images,
    }
    output.write_json(result, inputs=[model, options.output_path])


def _scales_table(scales: Scales) -> Table:
    table = Table(
        "tensor",
        caption="largest: magnitude seen on the images; amax: the largest that the quantised "
        "tensor can hold, more is clipped; scale: of one quantised step",
        caption_justify="left",
    )
    for name in ("largest", "amax", "scale"):
        table.add_column(name, justify="right")
    for name, tensor in scales.tensors.items():
        table.add_row(name, f"{tensor.largest:.4g}", f"{tensor.amax:.4g}", f"{tensor.scale:.3g}")
    return table
