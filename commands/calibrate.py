"""`drs-export calibrate`: scales from images."""

from pathlib import Path
from typing import get_args

import click

from drsformer.calibration.clipping import Method
from drsformer.calibration.crops import CROP_COUNT, CROP_SIDE
from drsformer.calibration.mixed_precision import check_convertible
from drsformer.calibration.quantize import GRIDS
from drsformer.calibration.rules import Precision
from drsformer.calibration.scales_from_images import DEFAULT_METHOD, scales_from_images
from drsformer.export.graph import load_onnx
from drsformer.files import written_whole

from .prerequisites import crops_of
from .progress import progress

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
PRECISIONS = get_args(Precision)


@click.command()
@click.argument("model", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The scales.json to write.")
@click.option("--images", type=FOLDER, help="Folder of rainy images to take ranges from.")
@click.option("--count", default=CROP_COUNT, show_default=True, help="Number of crops.")
@click.option("--size", default=CROP_SIDE, show_default=True, help="Side of a crop, pixels.")
@click.option("--method", type=click.Choice(get_args(Method)), default=DEFAULT_METHOD,
              show_default=True, help="How to choose where to clip.")  # fmt: skip
@click.option("--grid", type=click.Choice(list(GRIDS)), default="int8", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="By default all cores.")
def calibrate(
    model: Path,
    output: Path,
    images: Path | None,
    count: int,
    size: int,
    method: Method,
    grid: str,
    threads: int | None,
) -> None:
    """Find out how large the tensors of MODEL get on real images, and write their scales."""
    check_convertible(load_onnx(model), str(model))
    crops = crops_of(images, count, size)
    with written_whole(output, inputs=[model]) as temporary, progress() as context:
        scales = scales_from_images(
            model, crops, grid=grid, method=method, threads=threads, on_step=context.step
        )
        temporary.write_text(scales.to_json())
    click.echo(f"{output}: {len(scales.tensors)} scales from {crops.source}")
