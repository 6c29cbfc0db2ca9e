"""`drs-export trt`: from a checkpoint, or whatever lies between, to an engine.

The steps that are missing run first, each through its room's public functions, and their files
stay beside the engine.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
import onnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from drsformer.calibration.rules import kept_parts
from drsformer.context import OnStep
from drsformer.contract import CONTRACT, IO
from drsformer.engine.libraries import LIBRARIES, Library, module_of
from drsformer.engine.manifest import is_engine, manifest_path, shapes_text
from drsformer.errors import EngineError, one_line
from drsformer.export.engine.engine_from_onnx import (
    BuiltEngine,
    check_output,
    chosen_library,
    contract_of,
    default_timing_cache,
    engine_from_onnx,
    planned_manifest,
)
from drsformer.export.engine.progress import OnProgress
from drsformer.export.engine.settings import EngineSettings, Hardware, compute_capabilities_from_text
from drsformer.export.engine.shapes import profiles_from_text
from drsformer.export.engine.trtexec import trtexec_script
from drsformer.export.graph import input_sizes, load_onnx
from drsformer.files import written_whole

from .options import FILE, FOLDER, packed, precision_flags
from .prerequisites import Source, typed_onnx

GIGABYTE = 1e9
LARGEST_WORKSPACE = 1000 * GIGABYTE
_LIBRARY = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}


@dataclass(frozen=True)
class TrtOptions:
    """The command's options, as the user gave them."""

    source: Path
    output: Path
    precision: str | None
    flavor: str
    target: str | None
    shapes: tuple[str, ...]
    batch: str
    io: IO | None
    workspace: float | None
    level: int | None
    timing_cache: Path | None
    version_compatible: bool
    hardware: Hardware
    strip_weights: bool
    refit: bool
    images: Path | None
    pairs: Path | None
    scales: Path | None
    threads: int | None
    emit_script: Path | None

    @property
    def inputs(self) -> list[Path]:
        """The files that are read, and must not be overwritten."""
        return [self.source, *filter(None, [self.scales])]

    @property
    def to_convert(self) -> Source:
        """What the steps before the engine need to know."""
        return Source(
            self.source, self.precision, self.io, self.images, self.pairs, self.scales, self.threads
        )


@click.command()
@click.argument("source", metavar="INPUT", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The engine to write.")
@precision_flags("fp32", "fp16", "bf16", "int8", "fp8")
@click.option("--library", type=click.Choice(["auto", "tensorrt", "rtx"]), default="auto",
              show_default=True, help="TensorRT where installed, else TensorRT-RTX.")  # fmt: skip
@click.option("--gpu", help="Compute capabilities to build for, sm_86,sm_89; TensorRT-RTX.")
@click.option("--shapes", multiple=True, help="HEIGHTxWIDTH, MIN:OPT:MAX, or tile (512x512, the "
              "default), 720p, 1080p, 4k; repeat for several profiles.")  # fmt: skip
@click.option("--batch", default="1", show_default=True, help="Images at once, or MIN:OPT:MAX.")
@click.option("--io", type=click.Choice(get_args(IO)), help="Type of input and output; uint8: "
              "pixels in, pixels out.  [default: float32, or what INPUT says]")  # fmt: skip
@click.option(
    "--workspace", type=click.FloatRange(0, min_open=True), help="Most scratch memory, GB."
)
@click.option("--level", type=click.IntRange(0, 5), help="Builder optimization level, 0 to 5.")
@click.option("--timing-cache", type=FILE, help="Kernel times to reuse.  [default: one for each "
              "version, CUDA and GPU, under ~/.cache/drs-export]")  # fmt: skip
@click.option("--version-compatible", is_flag=True, help="Later TensorRT can run it; slower.")
@click.option("--hardware-compatible", "hardware", default="none", show_default=True,
              type=click.Choice(get_args(Hardware)),
              help="Other GPUs can run it; slower.")  # fmt: skip
@click.option("--strip-weights", is_flag=True, help="Leave the weights in the ONNX file.")
@click.option("--refit", is_flag=True, help="Weights can be replaced later.")
@click.option("--images", type=FOLDER, help="Rainy images to calibrate and, some, to judge with.")
@click.option("--pairs", type=FOLDER, help="Folder with input/ and target/, all to judge with.")
@click.option("--scales", type=FILE, help="From `calibrate`, for --int8 and --fp8.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU runtimes that judge.")
@click.option("--emit-script", type=FILE, help="Do not build: write a script of trtexec calls, for "
              "a device that has only the SDK.")  # fmt: skip
@packed(TrtOptions)
def trt(options: TrtOptions) -> None:
    """Build an engine from INPUT: a checkpoint, an exported or a converted ONNX file.

    Steps that are missing run first: export, calibrate, convert. The layers of the network are
    checked against the precision asked for, and ENGINE.json tells what the engine is and where it
    runs.
    """
    check_output(options.output)
    _check_files(options)
    # what no engine could be built with is found now, not after minutes of converting
    flavor = _flavor(options)
    _settings(options, flavor, None)
    if not options.emit_script:
        module_of(flavor)
    typed = typed_onnx(options.to_convert, options.output)
    proto = load_onnx(typed)
    settings = _settings(options, flavor, (proto, typed))
    command = shlex.join(["drs-export", *sys.argv[1:]])
    if options.emit_script:
        _emit(proto, typed, options, settings, command)
        return
    cache = options.timing_cache or default_timing_cache(flavor, _cache_folder())
    with _progress() as (on_step, on_progress):
        built = engine_from_onnx(
            typed, options.output, settings, kept=kept_parts(proto), command=command,
            inputs=options.inputs, timing_cache=cache, on_step=on_step, on_progress=on_progress,
        )  # fmt: skip
    _print_built(built)


def _check_files(options: TrtOptions) -> None:
    """Raise EngineError where something that is written is an input, or something else written."""
    if is_engine(options.source):
        raise EngineError(
            f"{options.source} is an engine already; give a checkpoint or an ONNX file"
        )
    if options.emit_script and options.timing_cache:
        raise EngineError("--timing-cache would have no effect with --emit-script")
    optional = filter(None, [options.timing_cache, options.emit_script])
    written = [options.output, manifest_path(options.output), *optional]
    for i, path in enumerate(written):
        others = [*options.inputs, *written[:i]]
        if path.resolve() in [other.resolve() for other in others]:
            raise EngineError(
                f"{path} would be written over an input or another output; choose another name"
            )


def _flavor(options: TrtOptions) -> Library:
    """Return the library to build with; a script is for TensorRT, which need not be here."""
    if options.emit_script:
        flavor = LIBRARIES["tensorrt" if options.flavor == "auto" else _LIBRARY[options.flavor]]
    else:
        flavor = chosen_library(options.flavor, _targets(options))
    if options.timing_cache and flavor.name != "tensorrt":
        raise EngineError(
            "--timing-cache is of TensorRT; TensorRT-RTX times nothing when it builds"
        )
    return flavor


def _targets(options: TrtOptions) -> tuple[str, ...]:
    return () if options.target is None else compute_capabilities_from_text(options.target)


def _settings(
    options: TrtOptions, flavor: Library, model: tuple[onnx.ModelProto, Path] | None
) -> EngineSettings:
    """Return how to build; before there is a model, for one of free sizes."""
    contract = CONTRACT
    sizes: list[int | None] = [None] * len(CONTRACT.layout)
    if model is not None:
        contract, sizes = contract_of(*model), input_sizes(model[0])
    return EngineSettings(
        flavor,
        profiles_from_text(options.shapes, options.batch, contract, sizes),
        _targets(options),
        _bytes_of(options.workspace),
        options.level,
        options.version_compatible,
        options.hardware,
        options.strip_weights,
        options.refit,
    )


def _bytes_of(workspace: float | None) -> int | None:
    """Return gigabytes as bytes."""
    if workspace is None:
        return None
    if not 1 <= workspace * GIGABYTE < LARGEST_WORKSPACE:
        raise EngineError(f"--workspace is {workspace:g} GB; expected more than 0, up to 1000")
    return round(workspace * GIGABYTE)


def _emit(
    proto: onnx.ModelProto,
    source: Path,
    options: TrtOptions,
    settings: EngineSettings,
    command: str,
) -> None:
    """Write the script beside the ONNX file that it needs."""
    script = options.emit_script
    assert script is not None
    manifest = planned_manifest(proto, source, settings, command)
    text = trtexec_script(
        manifest, settings, engine=options.output, fixed=None not in input_sizes(proto)
    )
    with written_whole(script, inputs=[source]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    script.chmod(script.stat().st_mode | 0o111)
    click.echo(f"{script}: copy it to the device with {source.name}, and run it there")


def _cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "drs-export"


@contextmanager
def _progress() -> Iterator[tuple[OnStep, OnProgress]]:
    """Show on stderr what the builder is at: the present phase and its steps."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)

        def on_step(step: str) -> None:
            bar.update(task, description=step, total=None)

        def on_progress(phase: str, done: int, steps: int) -> None:
            bar.update(task, description=phase, completed=done, total=steps or None)

        yield on_step, on_progress


def _print_built(built: BuiltEngine) -> None:
    """Print the audit's table, what stays in float32, and a summary."""
    manifest = built.manifest
    table = Table("computes in", "layers")
    for name, count in sorted(built.audit.layers.items()):
        table.add_row(name, str(count))
    Console().print(table)
    for part, count in built.audit.float32_parts.items():
        click.echo(f"in float32 as listed: {part} ({count} layers)")
    for warning in built.warnings:
        click.echo(f"warning: {one_line(warning, limit=200)}", err=True)
    accepted = " or ".join(map(shapes_text, manifest.profiles))
    runs_on = manifest.runs_on
    able = ", ".join(runs_on.compute_capabilities) + (" and newer" if runs_on.newer else "")
    title = LIBRARIES[manifest.flavor].title
    click.echo(
        f"{built.path}: {manifest.engine_bytes / 1e6:.1f} MB, {manifest.precision}, {accepted}, "
        f"{title} {manifest.version}, compute capability {able}"
    )
    click.echo(f"{built.manifest_path}: its manifest; keep the two together")
    if manifest.validation is None:
        click.echo(f"not run yet: `drs-export validate {built.path}` does, where there is a GPU")
