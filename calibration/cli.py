"""`drs-export convert`, `calibrate` and `sensitivity`."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from drsformer.contract import IO
from drsformer.errors import DRSformerError
from drsformer.export.cli import steps
from drsformer.export.onnx_from_checkpoint import load_onnx
from drsformer.export.precision import Precision, check_convertible
from drsformer.files import sha256_of, written_whole
from drsformer.precision_option import precision_options

from .chain import crops_of, exported, samples_of, scales_for
from .chart import chart, rms_levels
from .convert import Budget, Converted, convert_file
from .methods import Method
from .quality import Judge, Quality
from .quantized import GRIDS, convolutions
from .samples import CROP_COUNT, CROP_SIDE, Sample
from .scales_from_images import DEFAULT_METHOD, scales_from_images
from .sensitivity import GroupCost
from .sensitivity import sensitivity as measured_sensitivity
from .verdict import Line

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
PRECISIONS = get_args(Precision)


@click.command()
@click.argument("source", type=FILE)
@precision_options("fp16", "bf16", "int8", "fp8")
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
    with steps() as on_step:
        made = convert_file(
            source, output, precision, samples, scales=scales, budget=budget,
            io=io, threads=threads, on_step=on_step,
        )  # fmt: skip
    print_converted(made)


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
    with written_whole(output, inputs=[model]) as temporary, steps() as on_step:
        scales = scales_from_images(
            model, crops, grid=grid, method=method, threads=threads, on_step=on_step
        )
        temporary.write_text(scales.to_json())
    click.echo(f"{output}: {len(scales.tensors)} scales from {crops.source}")


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
    with steps() as on_step:
        if precision in GRIDS:
            crops = crops_of(images, CROP_COUNT, CROP_SIDE)
            scales = scales_from_images(
                model, crops, grid=precision, nodes=convolutions(proto), threads=threads,
                on_step=on_step,
            ).steps  # fmt: skip
        judge = Judge(proto, samples, threads=threads)
        costs = measured_sensitivity(proto, judge, precision, scales, on_step=on_step)
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


def print_converted(made: Converted) -> None:
    console = Console()
    title = f"{made.path.name}, judged on {len(made.verdict.images)} images"
    table = Table(title=title, padding=(0, 0))
    for name in ("", "MB", "dB", "imposed", "swapped", "levels", "Y-PSNR", "SSIM", "ORT",
                 "OpenVINO", "apart"):  # fmt: skip
        table.add_column(name, justify="right")
    for line in made.verdict.lines:
        table.add_row(*_cells(line))
    console.print(table)
    click.echo(
        "dB: PSNR against float32; imposed: with float32's top-k selection; swapped: entries of "
        "it; levels: largest difference of 255; Y-PSNR, SSIM: lost against targets; ORT, OpenVINO: "
        "times float32's speed there; apart: largest difference between the two, levels"
    )
    parts: dict[tuple[str, str], int] = {}
    for kept in made.kept:
        parts[kept.part, kept.reason] = parts.get((kept.part, kept.reason), 0) + 1
    for (part, reason), count in parts.items():
        click.echo(f"kept higher: {part} ({count} nodes): {reason}")
    for cost in made.spared:
        click.echo(
            f"left in float16 for the budget: {cost.group}, {cost.quality.psnr_db:.1f} dB alone"
        )
    for words in made.verdict.words:
        click.echo(f"verdict: {words}")
    click.echo(f"{made.path}: written; {made.report_path}: every node that stayed higher, and why")


def _cells(line: Line) -> list[str]:
    speeds = ["-" if s is None else f"{s:.2f}x" for s in line.speed.values()]
    apart = _or_dash(line.levels_apart, "d")
    size = f"{line.size_bytes / 1e6:.2f}"
    quality = line.quality
    if quality is None:
        return [line.precision, size, *["-"] * 6, *speeds, apart]
    return [
        line.precision,
        size,
        f"{quality.psnr_db:.1f}",
        _or_dash(quality.imposed_psnr_db, ".1f"),
        f"{100 * quality.flip_rate:.2f} %",
        str(quality.max_levels),
        _or_dash(quality.y_psnr_drop_db, ".3f"),
        _or_dash(quality.ssim_drop, ".4f"),
        *speeds,
        apart,
    ]


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


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
            _or_dash(quality.y_psnr_drop_db, ".3f"),
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
