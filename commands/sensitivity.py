"""`drs-export sensitivity`: what a lower precision costs in each group of nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
import onnx
from rich.console import Console
from rich.table import Table

from drsformer.calibration.crops import CROP_COUNT, CROP_SIDE, Sample
from drsformer.calibration.evaluate.chart import chart, rms_error
from drsformer.calibration.evaluate.evaluator import Evaluator
from drsformer.calibration.evaluate.sensitivity import GroupCost
from drsformer.calibration.evaluate.sensitivity import sensitivity as measured_sensitivity
from drsformer.calibration.mixed_precision import check_convertible
from drsformer.calibration.precision_rules import LowPrecision, convolutions
from drsformer.calibration.quantize import QUANTIZED_DTYPES
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.export.graph import load_onnx
from drsformer.files import sha256_of, written_whole

from .options import FILE, FOLDER, THREADS_HELP, packed
from .output import STDOUT, Output, output_options
from .prerequisites import MEASURED_SIDE, crops_of, images_help, samples_of
from .printing import or_dash
from .progress import progress

MOST_ROWS = 15  # of the table, without -v


@dataclass(frozen=True)
class SensitivityOptions:
    """The command's options, as the user gave them."""

    model: Path
    images: Path | None
    precision: LowPrecision
    chart: Path | None
    threads: int | None
    output: Output


@click.command()
@click.argument("model", type=FILE)
@click.option("--images", type=FOLDER, help=images_help(MEASURED_SIDE))
@click.option("--precision", type=click.Choice(get_args(LowPrecision)), default="int8",
              show_default=True, help="The precision that each group is lowered to.")  # fmt: skip
@click.option("--chart", type=FILE, help="Draw a bar chart to this .svg file.")
@click.option("--threads", type=click.IntRange(1), help=THREADS_HELP)
@output_options(f"Print all groups, not only the {MOST_ROWS} that cost the most.")
@packed(SensitivityOptions)
def sensitivity(options: SensitivityOptions) -> None:
    """Lower the precision of each group of nodes of MODEL alone and measure what that costs.

    MODEL is a float32 ONNX file. A group is the nodes of one kind in one stage of the network, such
    as "latent qkv"; all other groups stay in float32.
    """
    model, output = options.model, options.output
    proto = load_onnx(model)
    check_convertible(proto, str(model))
    samples = samples_of(None, options.images, output)
    costs = _measured(options, proto, samples)
    most = max(costs, key=lambda cost: cost.sort_key)
    output.result(
        f"{model.name}: of {len(costs)} groups, {most.group} costs the most in "
        f"{options.precision}: {most.quality.psnr_db:.1f} dB PSNR against fp32"
    )
    _print_table(costs, output)
    if options.chart is not None:
        with written_whole(options.chart, inputs=[model]) as temporary:
            temporary.write_text(
                chart(costs, f"{model.name}, each group alone in {options.precision}")
            )
        output.note(f"{options.chart}: the chart")
    output.write_json(_result(options, samples, costs), inputs=[model])


def _measured(
    options: SensitivityOptions, proto: onnx.ModelProto, samples: Sequence[Sample]
) -> list[GroupCost]:
    """Calibrate every convolution if need be, and measure the cost of each group."""
    precision, threads = options.precision, options.threads
    scales: dict[str, float] | None = None
    with progress() as context:
        if precision in QUANTIZED_DTYPES:
            crops = crops_of(options.images, CROP_COUNT, CROP_SIDE, options.output)
            scales = scales_from_images(
                options.model, crops, precision=precision, nodes=convolutions(proto),
                threads=threads, context=context,
            ).by_tensor  # fmt: skip
        evaluator = Evaluator(proto, samples, threads=threads)
        return measured_sensitivity(proto, evaluator, precision, scales, context=context)


def _print_table(costs: Sequence[GroupCost], output: Output) -> None:
    """Print the most costly groups, the worst first; with -v all of them."""
    shown = sorted(costs, key=lambda cost: cost.sort_key, reverse=True)
    if not output.verbose:
        shown = shown[:MOST_ROWS]
    caption = (
        "PSNR: of the output against fp32, with only this group lowered. RMS error: the same in "
        "levels of 255. Y-PSNR lost: against targets. top-k mismatch: entries of the top-k masks "
        "that differ from fp32's. weights: in fp32."
    )
    if len(shown) < len(costs):
        caption += f" {len(costs) - len(shown)} groups that cost less are listed with -v."
    table = Table("group", caption=caption, caption_justify="left")
    for name in ("PSNR dB", "RMS error", "Y-PSNR lost dB", "top-k mismatch", "weights MB"):
        table.add_column(name, justify="right")
    for cost in shown:
        quality = cost.quality
        table.add_row(
            cost.group,
            f"{quality.psnr_db:.1f}",
            f"{rms_error(quality.psnr_db):.3f}",
            or_dash(quality.y_psnr_drop_db, ".3f"),
            f"{100 * quality.mismatch_rate:.2f} %",
            f"{cost.weight_bytes / 1e6:.2f}",
        )
    Console(stderr=output.json_path == STDOUT).print(table)


def _result(
    options: SensitivityOptions, samples: Sequence[Sample], costs: Sequence[GroupCost]
) -> dict[str, Any]:
    return {
        "model_sha256": sha256_of(options.model),
        "precision": options.precision,
        "images": [sample.name for sample in samples],
        "groups": [cost.to_dict() for cost in costs],
    }
