"""`drs-export convert`: a float32 model becomes a lower precision, measured before it is named."""

import math
from pathlib import Path
from typing import get_args

import click

from drsformer.calibration.convert import Budget, convert_file
from drsformer.calibration.quantize import GRIDS
from drsformer.calibration.rules import Precision
from drsformer.contract import IO
from drsformer.errors import DRSformerError

from .options import precision_flags
from .prerequisites import exported, samples_of, scales_for
from .printing import print_converted
from .progress import progress

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
PRECISIONS = get_args(Precision)


@click.command()
@click.argument("source", type=FILE)
@precision_flags("fp16", "bf16", "int8", "fp8")
@click.option("--output", "-o", type=FILE, help="By default SOURCE.<precision>.onnx.")
@click.option(
    "--io", type=click.Choice(get_args(IO)), default="float32", show_default=True,
    help="Type of input and output.",
)  # fmt: skip
@click.option("--scales", "scales_path", type=FILE, help="From `calibrate`, for --int8 and --fp8.")
@click.option("--images", type=FOLDER, help="Rainy images to calibrate and, some, to judge with.")
@click.option("--pairs", type=FOLDER, help="Folder with input/ and target/, all to judge with.")
@click.option("--max-drop", type=float, help="Most dB of Y-PSNR that quantising may cost.")
@click.option("--min-psnr", type=float, help="Least dB against float32, where targets lack.")
@click.option("--threads", type=click.IntRange(1), help="By default all cores.")
def convert(
    source: Path,
    precision: Precision | None,
    output: Path | None,
    io: IO,
    scales_path: Path | None,
    images: Path | None,
    pairs: Path | None,
    max_drop: float | None,
    min_psnr: float | None,
    threads: int | None,
) -> None:
    """Convert SOURCE, a float32 ONNX file or a checkpoint, to a lower precision.

    The file is strongly typed: its precision is in the graph, for every runtime. It is judged on
    images and written only if its output is finite; FILE.precision.json lists what stayed higher.
    """
    if precision is None:
        raise click.UsageError("say which precision: --fp16, --bf16, --int8 or --fp8.")
    _check_options(precision, io, scales_path, max_drop, min_psnr)
    output = output or source.with_name(f"{source.stem}.{precision}.onnx")
    source = exported(source, output)
    samples = samples_of(pairs, images)
    scales = scales_for(source, output, precision, scales_path, images, threads)
    budget = Budget(max_drop, min_psnr) if (max_drop, min_psnr) != (None, None) else None
    with progress() as context:
        made = convert_file(
            source, output, precision, samples, scales=scales, budget=budget,
            io=io, threads=threads, on_step=context.step,
        )  # fmt: skip
    print_converted(made)


def _check_options(
    precision: str, io: str, scales: Path | None, max_drop: float | None, min_psnr: float | None
) -> None:
    """Refuse options that would have no effect, or no meaning."""
    if precision not in GRIDS and (scales, max_drop, min_psnr) != (None, None, None):
        raise DRSformerError(
            f"--scales, --max-drop and --min-psnr are for --int8 and --fp8, not for --{precision}"
        )
    if max_drop is not None and min_psnr is not None:
        raise DRSformerError("give --max-drop (with targets) or --min-psnr (without), not both")
    for name, value in (("--max-drop", max_drop), ("--min-psnr", min_psnr)):
        if value is not None and not math.isfinite(value):
            raise DRSformerError(f"{name} is {value}; expected a number of dB")
    if precision == "bf16" and io == "float16":
        raise DRSformerError(
            "a bfloat16 model takes and gives float32 or uint8; --io float16 is for others"
        )
