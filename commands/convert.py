"""`drs-export convert`: converts a float32 model to a lower precision and measures the result."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import click

from drsformer.calibration.convert import Budget, ConversionRequest, convert_file
from drsformer.calibration.precision_rules import LowPrecision
from drsformer.calibration.quantize import QUANTIZED_DTYPES
from drsformer.contract import IO
from drsformer.errors import DRSformerError

from .options import FILE, FOLDER, THREADS_HELP, WEIGHTS_HELP, packed, precision_flags
from .output import Output, output_options
from .prerequisites import MEASURED_SIDE, PAIRS_HELP, exported, images_help, samples_of, scales_for
from .printing import print_converted
from .progress import progress


@dataclass(frozen=True)
class ConvertOptions:
    """The command's options, as the user gave them."""

    source: Path
    precision: LowPrecision | None
    output_path: Path | None
    io: IO
    scales: Path | None
    images: Path | None
    pairs: Path | None
    max_drop: float | None
    min_psnr: float | None
    threads: int | None
    weights: str | None
    output: Output

    @property
    def budget(self) -> Budget | None:
        """How much quantising may cost; None without a limit."""
        given = (self.max_drop, self.min_psnr)
        return None if given == (None, None) else Budget(*given)


@click.command()
@click.argument("source", type=FILE)
@precision_flags("fp16", "bf16", "int8", "fp8")
@click.option("--output", "-o", "output_path", type=FILE,
              help="The file to write.  [default: SOURCE's name: derain.onnx -> "
              "derain.fp16.onnx]")  # fmt: skip
@click.option("--io", type=click.Choice(get_args(IO)), default="float32", show_default=True,
              help="Type of input and output; float16: not with --bf16; uint8: pixels in, pixels "
              "out.")  # fmt: skip
@click.option("--scales", type=FILE, help="Scales from `calibrate`, for --int8 and --fp8.  "
              "[default: calibrate now]")  # fmt: skip
@click.option("--images", type=FOLDER, help=images_help(MEASURED_SIDE))
@click.option("--pairs", type=FOLDER, help=PAIRS_HELP)
@click.option("--max-drop", type=float, help="Keep the most sensitive groups of nodes in fp16 "
              "until at most this much of fp32's Y-PSNR is lost, dB, as a mean over the images. A "
              "group is the nodes of one kind in one stage. Needs clean images: --pairs, or "
              "--images with target/.")  # fmt: skip
@click.option("--min-psnr", type=float, help="Keep the most sensitive groups of nodes in fp16 "
              "until the PSNR against fp32, a mean over the images, is at least this, dB. Needs no "
              "clean images.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help=THREADS_HELP)
@click.option("--weights", help=WEIGHTS_HELP)
@output_options("Print the figures of each precision, and the nodes kept in a higher one, too.")
@packed(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Convert SOURCE, a float32 ONNX file or a checkpoint, to a lower precision.

    Every tensor of the file has an explicit type, so each inference library computes in the
    same precision. The result is measured on images and written only if its output is finite. The
    report beside it lists the nodes that stay in a higher precision: derain.fp16.onnx ->
    derain.fp16.precision.json.

    Only --int8 and --fp8 take --scales, and one of the limits --max-drop and --min-psnr. If fp16
    alone exceeds the limit, the command fails and writes no converted file.
    """
    if options.precision is None:
        raise click.UsageError("say which precision: --fp16, --bf16, --int8 or --fp8.")
    _check(options, options.precision)
    source, output = options.source, options.output
    path = options.output_path or source.with_name(f"{source.stem}.{options.precision}.onnx")
    source = exported(source, path, output, weights=options.weights)
    request = ConversionRequest(
        source, path, options.precision, None, options.budget, options.io, options.threads
    )
    request = replace(request, scales=scales_for(request, options.scales, options.images, output))
    samples = samples_of(options.pairs, options.images, output)
    with progress() as context:
        made = convert_file(request, samples, context)
    print_converted(made, output)
    report = json.loads(made.report_path.read_text("utf-8"))
    output.write_json({"path": str(made.path), **report}, inputs=[options.source, made.path])


def _check(options: ConvertOptions, precision: LowPrecision) -> None:
    """Refuse options that would have no effect, or no meaning."""
    limits = {"--max-drop": options.max_drop, "--min-psnr": options.min_psnr}
    given = [options.scales, *limits.values()]
    if precision not in QUANTIZED_DTYPES and any(value is not None for value in given):
        raise DRSformerError(
            f"--scales, --max-drop and --min-psnr are for --int8 and --fp8, not for --{precision}"
        )
    if None not in limits.values():
        raise DRSformerError("give --max-drop (with targets) or --min-psnr (without), not both")
    for name, value in limits.items():
        if value is not None and not math.isfinite(value):
            raise DRSformerError(f"{name} is {value}; expected a number of dB")
    if precision == "bf16" and options.io == "float16":
        raise DRSformerError(
            "a bfloat16 model takes and gives float32 or uint8; --io float16 is for the other "
            "precisions"
        )
