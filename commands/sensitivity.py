"""`drs-export sensitivity`: what a lower precision costs in each part of a model."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from drsformer.calibration.crops import CROP_COUNT, CROP_SIDE, Sample
from drsformer.calibration.evaluate.chart import chart, rms_levels
from drsformer.calibration.evaluate.evaluator import Judge, Quality
from drsformer.calibration.evaluate.sensitivity import GroupCost
from drsformer.calibration.evaluate.sensitivity import sensitivity as measured_sensitivity
from drsformer.calibration.mixed_precision import check_convertible
from drsformer.calibration.quantize import GRIDS
from drsformer.calibration.rules import Precision, convolutions
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.export.graph import load_onnx
from drsformer.files import sha256_of, written_whole

from .prerequisites import crops_of, samples_of
from .printing import or_dash
from .progress import progress

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
PRECISIONS = get_args(Precision)


@click.command()
@click.argument("model", type=FILE)
@click.option("--images", type=FOLDER, help="To calibrate and to judge with; may be pairs.")
@click.option("--to", "precision", type=click.Choice(PRECISIONS), default="int8",
              show_default=True, help="What each part is lowered to.")  # fmt: skip
@click.option("--json", "json_path", type=FILE, help="Write the figures to this file.")
@click.option("--chart", "chart_path", type=FILE, help="Draw a bar chart to this .svg file.")
@click.option("--threads", type=click.IntRange(1), help="By default all cores.")
def sensitivity(
    model: Path,
    images: Path | None,
    precision: Precision,
    json_path: Path | None,
    chart_path: Path | None,
    threads: int | None,
) -> None:
    """Lower each part of MODEL alone and measure what it costs."""
    proto = load_onnx(model)
    check_convertible(proto, str(model))
    samples = samples_of(None, images)
    scales: dict[str, float] | None = None
    with progress() as context:
        if precision in GRIDS:
            crops = crops_of(images, CROP_COUNT, CROP_SIDE)
            scales = scales_from_images(
                model, crops, grid=precision, nodes=convolutions(proto), threads=threads,
                on_step=context.step,
            ).steps  # fmt: skip
        judge = Judge(proto, samples, threads=threads)
        costs = measured_sensitivity(proto, judge, precision, scales, on_step=context.step)
    _print_costs(costs)
    title = f"{model.name}, each part alone in {precision}"
    for path, text in (
        (json_path, _costs_json(model, precision, samples, costs)),
        (chart_path, chart(costs, title)),
    ):
        if path:
            with written_whole(path, inputs=[model]) as temporary:
                temporary.write_text(text)
            click.echo(f"{path}: written")


def _print_costs(costs: Sequence[GroupCost]) -> None:
    table = Table("part")
    for name in ("PSNR dB", "RMS levels", "Y-PSNR lost", "swapped", "weights MB"):
        table.add_column(name, justify="right")
    for cost in costs:
        quality: Quality = cost.quality
        table.add_row(
            cost.group,
            f"{quality.psnr_db:.1f}",
            f"{rms_levels(quality.psnr_db):.3f}",
            or_dash(quality.y_psnr_drop_db, ".3f"),
            f"{100 * quality.flip_rate:.2f} %",
            f"{cost.weight_bytes / 1e6:.2f}",
        )
    Console().print(table)


def _costs_json(
    model: Path, precision: str, samples: Sequence[Sample], costs: Sequence[GroupCost]
) -> str:
    def plain(cost: GroupCost) -> dict[str, Any]:
        values = asdict(cost)
        psnr = values["quality"]["psnr_db"]
        values["quality"]["psnr_db"] = psnr if math.isfinite(psnr) else None
        return values

    report = {
        "model_sha256": sha256_of(model),
        "precision": precision,
        "images": [sample.name for sample in samples],
        "groups": [plain(cost) for cost in costs],
    }
    return json.dumps(report, indent=1) + "\n"
