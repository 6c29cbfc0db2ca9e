"""`drs-export bench`: measure the ways to run a checkpoint on this machine."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from drsformer.checkpoint import checkpoint_from_file
from drsformer.context import Context
from drsformer.contract import Image, padded_size
from drsformer.errors import DRSformerError
from drsformer.export.cost import cost_of_file
from drsformer.export.deployment import Runtime
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.files import sha256_of, written_whole
from drsformer.measuring.bench.candidates import CANDIDATES, CandidateFiles, candidate_from_name
from drsformer.measuring.bench.machine import Peaks, Roofline, machine_peaks
from drsformer.measuring.bench.measure import Comparison, measure
from drsformer.measuring.bench.page import page_from_report
from drsformer.measuring.bench.report import (
    BenchReport,
    SettingResults,
    machine,
    machine_text,
    result_line,
    table_from_group,
    versions,
)
from drsformer.measuring.bench.setting import BenchSetting
from drsformer.runtime.media.pictures import read_image

from .options import FILE, THREADS_HELP, packed
from .output import STDOUT, Output, output_options
from .progress import progress
from .sizes import SIZE

DEFAULT_CANDIDATES = ("pytorch", "plain", "deployed")
EPILOG = """\b
Candidates, on the CPU unless said otherwise:
  pytorch        PyTorch
  pytorch-bf16   PyTorch in bfloat16 (autocast)
  compile        torch.compile
  compile-bf16   torch.compile in bfloat16 (autocast)
  plain          the file of `onnx --plain` in ONNX Runtime
  deployed       the file of `onnx --runtime ort` in ONNX Runtime
  deployed-any   the file of `onnx --runtime any` in ONNX Runtime
  openvino       the file of `onnx --runtime openvino` in OpenVINO
  openvino-bf16  the file of `onnx --runtime openvino` in OpenVINO, bfloat16
  cuda           the file of `onnx --runtime any` on a GPU, in ONNX Runtime
                 with its provider "cuda"
  tensorrt       the file of `onnx --runtime any` on a GPU, in ONNX Runtime
                 with its provider "tensorrt"
"""


@dataclass(frozen=True)
class BenchOptions:
    """The arguments of `drs-export bench`; see `--help`."""

    checkpoint: Path
    names: tuple[str, ...]
    baseline: str | None
    sizes: tuple[tuple[int, int], ...]
    image: Path | None
    threads: int | None
    tile: int | None
    rounds: int
    html_path: Path | None
    output: Output


@dataclass(frozen=True)
class Plan:
    """What a bench measures, checked.

    Attributes:
        checkpoint: the network to run.
        names: the candidates, of which the first is the reference of PSNR.
        baseline: the candidate that speed-ups refer to.
        settings: one for each size.
        images: the image to derain at each setting.
    """

    checkpoint: Path
    names: tuple[str, ...]
    baseline: str
    settings: Sequence[BenchSetting]
    images: Sequence[Image]

    @property
    def forms(self) -> list[str]:
        """The forms of the network that have to be exported."""
        return sorted({CANDIDATES[name].file for name in self.names} - {"checkpoint"})


@dataclass(frozen=True)
class Measured:
    """What was measured, and the error that ended it early, if one did."""

    peaks: Peaks
    groups: tuple[SettingResults, ...]
    failure: DRSformerError | None = None


@click.command(epilog=EPILOG)
@click.argument("checkpoint", type=FILE)
@click.option(
    "--candidate", "-c", "names", multiple=True, default=DEFAULT_CANDIDATES, show_default=True,
    help="A way to run CHECKPOINT, from the list below; repeatable. PSNR refers to the first. "
    "openvino needs the extra [openvino].",
)  # fmt: skip
@click.option("--baseline", help="Candidate that speed-ups refer to.  [default: the first]")
@click.option("--size", "sizes", type=SIZE, multiple=True, default=("256x256",),
              show_default=True, help="Size of the image, pixels; repeatable.")  # fmt: skip
@click.option(
    "--image", type=FILE, help="Derain the top left corner of this image.  [default: noise]"
)
@click.option("--threads", type=click.IntRange(1), help=THREADS_HELP)
@click.option(
    "--tile",
    type=click.IntRange(8),
    help="Side of the tiles, pixels, a multiple of 8.  [default: the image is not cut]",
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True,
              help="How often each candidate runs.")  # fmt: skip
@click.option("--html", "html_path", type=FILE, help="Write the report to this file as HTML.")
@output_options("Print the machine, the versions and the seconds of each round too.")
@packed(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Run CHECKPOINT in several ways, in turn, and compare time, memory and output.

    ONNX files are exported as needed. `bench` does not measure engines or converted files yet.
    """
    plan = _plan(options)
    network = _network(plan.checkpoint)
    output = options.output
    inputs = [plan.checkpoint, *filter(None, [options.image])]
    with ExitStack() as stack:
        # a place that cannot be written is refused here, before hours of measuring
        temporary = {
            path: stack.enter_context(written_whole(path, inputs=inputs))
            for path in (output.json_path, options.html_path)
            if path and path != STDOUT
        }
        with progress() as context:
            measured = _measured(plan, context)
        if measured.failure and not measured.groups:
            raise measured.failure
        report = BenchReport(
            network, machine(), versions(), measured.peaks, plan.baseline, measured.groups
        )
        _show(report, output)
        if options.html_path:
            page = page_from_report(report)
            temporary[options.html_path].write_text(page, encoding="utf-8")
        if output.json_path:
            place = temporary.get(output.json_path, STDOUT)
            replace(output, json_path=place).write_json(report.to_dict())
    for path in temporary:
        output.result(f"{path}: the report")
    if measured.failure:  # what was measured before the failure is kept
        raise measured.failure


def _plan(options: BenchOptions) -> Plan:
    """Check the options."""
    names, baseline = options.names, options.baseline or options.names[0]
    for name in (*names, baseline):
        candidate_from_name(name)
    if baseline not in names:
        raise DRSformerError(
            f"baseline {baseline!r} is not among the candidates {', '.join(names)}; "
            f"add -c {baseline}"
        )
    if len(set(names)) < len(names):
        raise DRSformerError(f"a candidate is named twice in {', '.join(names)}")
    threads = options.threads or os.cpu_count() or 1
    settings = [
        BenchSetting(*size, threads, options.tile, options.rounds) for size in options.sizes
    ]
    images = [_image(options.image, setting.height, setting.width) for setting in settings]
    return Plan(options.checkpoint, names, baseline, settings, images)


def _measured(plan: Plan, context: Context) -> Measured:
    """Export what the candidates need, and measure them at one setting after the other."""
    with tempfile.TemporaryDirectory() as folder:
        files = _files(plan, Path(folder), context)
        context.step("measuring what the machine can do")
        peaks = machine_peaks(plan.settings[0].threads)
        comparison = Comparison(plan.names, plan.baseline, files)
        groups: list[SettingResults] = []
        for setting, image in zip(plan.settings, plan.images, strict=True):
            rooflines = _rooflines(files, setting, peaks)
            try:
                results = measure(comparison, image, setting, rooflines, context)
            except DRSformerError as error:
                return Measured(peaks, tuple(groups), error)
            groups.append(SettingResults(setting, tuple(results)))
    return Measured(peaks, tuple(groups))


def _show(report: BenchReport, output: Output) -> None:
    """Print the results: a line for each setting, then the tables."""
    for group in report.groups:
        output.result(result_line(group, report.baseline))
    for group in report.groups:
        replace(output, verbose=True).detail(table_from_group(group))
    output.detail(machine_text(report))
    for group in report.groups:
        for result in group.results:
            rounds = ", ".join(f"{seconds:.3g}" for seconds in result.seconds)
            output.detail(
                f"{group.setting.title}: {result.name} opened and ran once in "
                f"{result.open_seconds:.3g} s; seconds of each round: {rounds}"
            )


def _network(checkpoint: Path) -> dict[str, Any]:
    """Return what the report says of the network."""
    read = checkpoint_from_file(checkpoint)
    return {
        "name": checkpoint.name,
        "sha256": sha256_of(checkpoint),
        "variant": read.config.variant,
        "parameters": sum(tensor.numel() for tensor in read.state.values()),
    }


def _files(plan: Plan, folder: Path, context: Context) -> CandidateFiles:
    """Export what the candidates open."""
    made = {}
    for form in plan.forms:
        context.step(f"exporting the {form} network")
        made[form] = folder / f"{form}.onnx"
        runtime: Runtime = "any" if form == "plain" else cast(Runtime, form)
        settings = ExportSettings(plain=form == "plain", runtime=runtime)
        onnx_from_checkpoint(plan.checkpoint, made[form], settings)
    return CandidateFiles(plan.checkpoint, **made)


def _rooflines(files: CandidateFiles, setting: BenchSetting, peaks: Peaks) -> dict[str, Roofline]:
    """Return the rooflines of the rewritten graphs: none where tiled, none of the plain graph.

    The plain graph computes its sizes while it runs, so its cost is not known beforehand.
    """
    if setting.tile:
        return {}
    height, width = padded_size(setting.height, setting.width)
    rooflines = {}
    for form in ("any", "ort", "openvino"):
        path = getattr(files, form)
        if path is not None:
            total = cost_of_file(path, height=height, width=width).total
            moved = total.weight_bytes + total.feature_bytes
            rooflines[form] = Roofline(total.macs, moved, peaks)
    return rooflines


def _image(path: Path | None, height: int, width: int) -> Image:
    """Return uint8 (height, width, 3): the top left corner of a picture, or seeded noise."""
    if path is None:
        return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    rgb = read_image(path).rgb
    if rgb.shape[0] < height or rgb.shape[1] < width or rgb.dtype != np.uint8:
        raise DRSformerError(
            f"{path} is {rgb.shape[0]}x{rgb.shape[1]}, {rgb.dtype}; expected an 8-bit picture of "
            f"at least {height}x{width} (height x width), or a smaller --size"
        )
    return np.ascontiguousarray(rgb[:height, :width], np.uint8)
