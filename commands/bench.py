"""`drs-export bench`: measure the ways to run a checkpoint on this machine."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from drsformer.checkpoint import checkpoint_from_file
from drsformer.contract import Image, padded_size
from drsformer.errors import DRSformerError
from drsformer.export.cost import cost_of_file
from drsformer.export.deployment import Runtime
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.files import sha256_of, written_whole
from drsformer.measuring.bench.candidates import CONTENDERS, Files, contender_from_name
from drsformer.measuring.bench.machine import Peaks, machine_peaks
from drsformer.measuring.bench.measure import Floor, Setting, measure
from drsformer.measuring.bench.page import page_from_report
from drsformer.measuring.bench.report import Group, Report, machine, table_from_results, versions
from drsformer.runtime.media.pictures import read_image

DEFAULT_CONTENDERS = ("pytorch", "plain", "deployed", "openvino")
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option(
    "--contender", "-c", "names", multiple=True, default=DEFAULT_CONTENDERS, show_default=True,
    help=f"Repeat for several: {', '.join(CONTENDERS)}. The first is what PSNR refers to.",
)  # fmt: skip
@click.option("--baseline", help="The contender that speed-ups refer to; by default the first.")
@click.option("--size", "sizes", multiple=True, default=("256x256",), show_default=True,
              help="Height x width, pixels; repeat for several.")  # fmt: skip
@click.option("--image", type=FILE, help="Derain the top left corner of this, not noise.")
@click.option("--threads", type=click.IntRange(1), help="Of each contender; by default all cores.")
@click.option("--tile", type=click.IntRange(8), help="Side of tiles, pixels; by default none.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=FILE, help="Write the figures to this file.")
@click.option("--html", "html_path", type=FILE, help="Write the report to this page.")
def bench(
    checkpoint: Path,
    names: tuple[str, ...],
    baseline: str | None,
    sizes: tuple[str, ...],
    image: Path | None,
    threads: int | None,
    tile: int | None,
    rounds: int,
    json_path: Path | None,
    html_path: Path | None,
) -> None:
    """Run CHECKPOINT in several ways, in turn, and compare time, memory and output."""
    baseline = baseline or names[0]
    for name in (*names, baseline):
        contender_from_name(name)
    if baseline not in names:
        raise DRSformerError(f"baseline {baseline!r} is not among the contenders that run")
    if len(set(names)) < len(names):
        raise DRSformerError(f"a contender is named twice in {', '.join(names)}")
    threads = threads or os.cpu_count() or 1
    settings = [Setting(*_size(size), threads, tile, rounds) for size in sizes]
    network = _network(checkpoint)
    pictures = [_image(image, setting.height, setting.width) for setting in settings]
    inputs = [checkpoint, *filter(None, [image])]
    with ExitStack() as stack:  # a place that cannot be written is found before hours of measuring
        opened = {
            path: stack.enter_context(written_whole(path, inputs=inputs))
            for path in (json_path, html_path)
            if path
        }
        steps = 1 + len(_forms(names)) + len(settings) * len(names) * (1 + rounds)
        with _progress(steps) as on_step:
            peaks, groups, failure = _measured(
                checkpoint, names, settings, pictures, baseline, on_step
            )
        if failure and not groups:
            raise failure
        report = Report(network, machine(), versions(), peaks, baseline, tuple(groups))
        for group in groups:
            Console().print(table_from_results(group.setting, group.results))
        for path, temporary in opened.items():
            text = report.to_json() if path == json_path else page_from_report(report)
            temporary.write_text(text, encoding="utf-8")
    for path in opened:
        click.echo(f"{path}: the report")
    if failure:  # what was measured before it is not lost
        raise failure


def _measured(
    checkpoint: Path,
    names: Sequence[str],
    settings: Sequence[Setting],
    pictures: Sequence[Image],
    baseline: str,
    on_step: Callable[[str], None],
) -> tuple[Peaks, list[Group], DRSformerError | None]:
    """Return the machine's peaks, what was measured, and what went wrong after that."""
    with tempfile.TemporaryDirectory() as folder:
        files = _files(checkpoint, names, Path(folder), on_step)
        on_step("measuring what the machine can do")
        peaks = machine_peaks(settings[0].threads)
        groups: list[Group] = []
        for setting, picture in zip(settings, pictures, strict=True):
            try:
                results = measure(
                    names, files, picture, setting, baseline=baseline, peaks=peaks,
                    floors=_floors(files, setting), on_run=on_step,
                )  # fmt: skip
            except DRSformerError as error:
                return peaks, groups, error
            groups.append(Group(setting, tuple(results)))
    return peaks, groups, None


def _network(checkpoint: Path) -> dict[str, Any]:
    read = checkpoint_from_file(checkpoint)
    return {
        "name": checkpoint.name,
        "sha256": sha256_of(checkpoint),
        "variant": read.config.variant,
        "parameters": sum(tensor.numel() for tensor in read.state.values()),
    }


def _files(
    checkpoint: Path, names: Sequence[str], folder: Path, on_step: Callable[[str], None]
) -> Files:
    """Export what the contenders open."""
    made = {}
    for form in _forms(names):
        on_step(f"exporting the {form} network")
        made[form] = folder / f"{form}.onnx"
        runtime: Runtime = "any" if form == "plain" else cast(Runtime, form)
        settings = ExportSettings(plain=form == "plain", runtime=runtime)
        onnx_from_checkpoint(checkpoint, made[form], settings)
    return Files(checkpoint, **made)


def _forms(names: Sequence[str]) -> list[str]:
    """Return the forms of the network to export."""
    return sorted({CONTENDERS[name].file for name in names} - {"checkpoint"})


def _floors(files: Files, setting: Setting) -> dict[str, Floor]:
    """Count what the deployed graphs cost; a traced one cannot be counted. None where tiled."""
    if setting.tile:
        return {}
    height, width = padded_size(setting.height, setting.width)
    floors = {}
    for form in ("any", "ort", "openvino"):
        path = getattr(files, form)
        if path is not None:
            total = cost_of_file(path, height=height, width=width).total
            floors[form] = Floor(total.macs, total.weight_bytes + total.feature_bytes)
    return floors


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise DRSformerError(f"size is {text!r}; expected HEIGHTxWIDTH in pixels, such as 256x256")
    return int(height), int(width)


def _image(path: Path | None, height: int, width: int) -> Image:
    """Return uint8 (height, width, 3): a corner of the picture, or always the same noise."""
    if path is None:
        return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    rgb = read_image(path).rgb
    if rgb.shape[0] < height or rgb.shape[1] < width or rgb.dtype != np.uint8:
        raise DRSformerError(
            f"{path} is {rgb.shape[0]}x{rgb.shape[1]}, {rgb.dtype}; expected an 8-bit picture of "
            f"at least {height}x{width} (height x width), or a smaller --size"
        )
    return np.ascontiguousarray(rgb[:height, :width], np.uint8)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar of `total` steps on stderr; a step is done when the next one begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, completed=-1)

        def on_step(what: str) -> None:
            progress.update(task, advance=1, description=what)

        yield on_step
