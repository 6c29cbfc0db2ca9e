"""`drs-export trt`: from a checkpoint, or whatever lies between, to an engine.

The steps that are missing run first, each through its stage's public functions, and their files
stay beside the engine.
"""

import importlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from drsformer.contract import IO
from drsformer.errors import EngineError, one_line
from drsformer.files import written_whole
from drsformer.manifest import is_engine, manifest_path
from drsformer.precision_option import precision_options

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
GIGABYTE = 1e9
LARGEST_WORKSPACE = 1000 * GIGABYTE


@dataclass(frozen=True)
class Source:
    """What an engine begins with.

    Attributes:
        path: a checkpoint or an ONNX file.
        precision: asked for; None for what the file says.
        io: type of input and output; None for what the file says.
        images: to calibrate and to judge with.
        pairs: likewise, with targets.
        scales: made before, for INT8 and FP8.
        threads: of the runtimes that judge.
    """

    path: Path
    precision: str | None
    io: IO | None
    images: Path | None
    pairs: Path | None
    scales: Path | None
    threads: int | None


@click.command()
@click.argument("source", metavar="INPUT", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The engine to write.")
@precision_options("fp32", "fp16", "bf16", "int8", "fp8")
@click.option("--flavor", type=click.Choice(["auto", "tensorrt", "rtx"]), default="auto",
              show_default=True, help="TensorRT where installed, else TensorRT-RTX.")  # fmt: skip
@click.option("--target", help="Compute capabilities to build for, sm_86,sm_89; TensorRT-RTX.")
@click.option("--shapes", multiple=True, help="HEIGHTxWIDTH, MIN:OPT:MAX, or tile (512x512, the "
              "default), 720p, 1080p, 4k; repeat for several profiles.")  # fmt: skip
@click.option("--batch", default="1", show_default=True, help="Images at once, or MIN:OPT:MAX.")
@click.option("--io", type=click.Choice(get_args(IO)), help="Type of input and output; uint8: "
              "pixels in, pixels out.  [default: float32, or what INPUT says]")  # fmt: skip
@click.option(
    "--workspace", type=click.FloatRange(0, min_open=True), help="Most scratch memory, GB."
)
@click.option("--level", type=click.IntRange(0, 5), help="Of the builder's optimisation.")
@click.option("--timing-cache", type=FILE, help="Kernel times to reuse.  [default: one for each "
              "version, CUDA and GPU, under ~/.cache/drs-export]")  # fmt: skip
@click.option("--version-compatible", is_flag=True, help="Later TensorRT can run it; slower.")
@click.option("--hardware-compatible", "hardware", default="none", show_default=True,
              type=click.Choice(["none", "ampere+", "same-capability"]),
              help="Other GPUs can run it; slower.")  # fmt: skip
@click.option("--strip-weights", is_flag=True, help="Leave the weights in the ONNX file.")
@click.option("--refit", is_flag=True, help="Weights can be replaced later.")
@click.option("--images", type=FOLDER, help="Rainy images to calibrate and, some, to judge with.")
@click.option("--pairs", type=FOLDER, help="Folder with input/ and target/, all to judge with.")
@click.option("--scales", type=FILE, help="From `calibrate`, for --int8 and --fp8.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU runtimes that judge.")
@click.option("--emit-script", type=FILE, help="Do not build: write a script of trtexec calls, for "
              "a device that has only the SDK.")  # fmt: skip
def trt(
    source: Path,
    output: Path,
    precision: str | None,
    flavor: str,
    target: str | None,
    shapes: tuple[str, ...],
    batch: str,
    io: IO | None,
    workspace: float | None,
    level: int | None,
    timing_cache: Path | None,
    version_compatible: bool,
    hardware: Any,
    strip_weights: bool,
    refit: bool,
    images: Path | None,
    pairs: Path | None,
    scales: Path | None,
    threads: int | None,
    emit_script: Path | None,
) -> None:
    """Build an engine from INPUT: a checkpoint, an exported or a converted ONNX file.

    Steps that are missing run first: export, calibrate, convert. The layers of the network are
    checked against the precision asked for, and ENGINE.json tells what the engine is and where it
    runs.
    """
    stage = _stage()
    stage.engine.check_output(output)
    inputs = [source, *filter(None, [scales])]
    _check_files(inputs, output, timing_cache, emit_script)
    targets = () if target is None else stage.settings.targets_from_text(target)
    workspace_bytes = _bytes_of(workspace)
    if emit_script:  # trtexec is TensorRT's, and need not be installed here
        chosen = stage.flavors.FLAVORS["tensorrt" if flavor == "auto" else _FLAVOR[flavor]]
    else:
        chosen = stage.engine.chosen_flavor(flavor, targets)

    def settings_for(onnx: Path) -> Any:
        proto = stage.files.load_onnx(onnx)
        contract = stage.engine.contract_of(proto, onnx)
        return stage.settings.EngineSettings(
            chosen,
            stage.shapes.profiles_from_text(shapes, batch, contract, _sizes(proto)),
            targets,
            workspace_bytes,
            level,
            version_compatible,
            hardware,
            strip_weights,
            refit,
        )

    if timing_cache and chosen.name != "tensorrt":
        raise EngineError(
            "--timing-cache is of TensorRT; TensorRT-RTX times nothing when it builds"
        )
    _check_early(stage, chosen, targets, shapes, batch, level, version_compatible, hardware)
    if not emit_script:
        stage.flavors.module_of(chosen)  # likewise, that it is not installed
    typed = typed_onnx(Source(source, precision, io, images, pairs, scales, threads), output)
    settings = settings_for(typed)
    command = shlex.join(["drs-export", *sys.argv[1:]])
    if emit_script:
        _emit(stage, typed, output, settings, emit_script, command)
        return
    cache = timing_cache or stage.engine.default_timing_cache(chosen, _cache_folder())
    with _progress() as (on_step, on_progress):
        built = stage.engine.engine_from_onnx(
            typed, output, settings, command=command, inputs=inputs, timing_cache=cache,
            on_step=on_step, on_progress=on_progress,
        )  # fmt: skip
    _print_built(built)


_FLAVOR = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}


@dataclass(frozen=True)
class _Stage:
    """The modules of the export stage that are used here, imported once they are needed."""

    engine: Any
    settings: Any
    shapes: Any
    script: Any
    files: Any
    flavors: Any


def _stage() -> _Stage:
    def module(name: str) -> Any:
        return importlib.import_module(f"drsformer.{name}")

    return _Stage(
        module("export.engine.engine_from_onnx"),
        module("export.engine.settings"),
        module("export.engine.shapes"),
        module("export.engine.trtexec"),
        module("export.onnx_from_checkpoint"),
        module("flavors"),
    )


def _check_files(
    inputs: Sequence[Path], output: Path, timing_cache: Path | None, script: Path | None
) -> None:
    """Raise EngineError where something that is written is an input, or something else written."""
    if is_engine(inputs[0]):
        raise EngineError(f"{inputs[0]} is an engine already; give a checkpoint or an ONNX file")
    if script and timing_cache:
        raise EngineError("--timing-cache would have no effect with --emit-script")
    written = [output, manifest_path(output), *filter(None, [timing_cache, script])]
    for i, path in enumerate(written):
        others = [*inputs, *written[:i]]
        if path.resolve() in [other.resolve() for other in others]:
            raise EngineError(
                f"{path} would be written over an input or another output; choose another name"
            )


def _bytes_of(workspace: float | None) -> int | None:
    """Return gigabytes as bytes."""
    if workspace is None:
        return None
    if not 1 <= workspace * GIGABYTE < LARGEST_WORKSPACE:
        raise EngineError(f"--workspace is {workspace:g} GB; expected more than 0, up to 1000")
    return round(workspace * GIGABYTE)


def _check_early(
    stage: _Stage,
    flavor: Any,
    targets: tuple[str, ...],
    shapes: tuple[str, ...],
    batch: str,
    level: int | None,
    version_compatible: bool,
    hardware: Any,
) -> None:
    """Find what no engine could be built with, before minutes of exporting and converting."""
    contract = importlib.import_module("drsformer.contract").CONTRACT
    profiles = stage.shapes.profiles_from_text(shapes, batch, contract, (None,) * 4)
    stage.settings.EngineSettings(
        flavor, profiles, targets, None, level, version_compatible, hardware
    )


def typed_onnx(source: Source, output: Path) -> Path:
    """Return an ONNX file of the precision asked for, made beside `output` where it is missing.

    Raises:
        DRSformerError: the input is no model of ours, or already in another precision.
    """
    chain = importlib.import_module("drsformer.calibration.chain")
    precisions = importlib.import_module("drsformer.export.engine.audit")
    files = importlib.import_module("drsformer.export.onnx_from_checkpoint")
    wanted = source.precision or "fp32"
    if source.path.suffix == ".onnx":
        proto = files.load_onnx(source.path)
        found = precisions.precision_of(proto)
        if found != "fp32" or source.precision in (None, found):
            return _as_it_is(source, found, proto, output)
    elif wanted == "fp32":
        io = source.io or "float32"
        if io == "float16":
            raise EngineError("--io float16 is for --fp16, --int8 and --fp8")
        _refuse_unused(source, wanted)
        exported: Path = chain.exported(source.path, output, name=f"{output.stem}.onnx", io=io)
        return exported
    return _converted(source, wanted, output)


def _refuse_unused(source: Source, precision: str) -> None:
    """Raise EngineError for options of a conversion where there is none."""
    for name in ("scales", "images", "pairs", "threads"):
        if getattr(source, name) is not None:
            raise EngineError(
                f"--{name} would have no effect: {source.path} stays in {precision}, and is "
                "neither calibrated nor judged"
            )


def _as_it_is(source: Source, found: str, proto: Any, output: Path) -> Path:
    """Return the ONNX file itself, or with uint8 input and output if these were asked for."""
    if source.precision not in (None, found):
        raise EngineError(
            f"{source.path} is in {found} already; leave --{source.precision} out, or give the "
            "float32 file"
        )
    _refuse_unused(source, found)
    pixels = importlib.import_module("drsformer.export.pixel_io")
    audit = importlib.import_module("drsformer.export.engine.engine_from_onnx")
    dtype = audit.contract_of(proto, source.path).dtype
    if source.io in (None, dtype):
        return source.path
    if source.io != "uint8" or dtype != "float32":
        raise EngineError(
            f"{source.path} has {dtype} input and output, and --io says {source.io}; export or "
            "convert it with that"
        )
    made = pixels.with_pixel_io(proto)
    path = output.with_name(f"{source.path.stem}.uint8.onnx")
    agreement = importlib.import_module("drsformer.export.pixel_agreement")
    agreement.check_pixels_agree(made, str(path))
    with written_whole(path, inputs=[source.path]) as temporary:
        temporary.write_bytes(made.SerializeToString(deterministic=True))
    click.echo(f"{path}: the same model with uint8 input and output")
    return path


def _converted(source: Source, precision: str, output: Path) -> Path:
    """Convert to a lower precision beside `output`."""
    chain = importlib.import_module("drsformer.calibration.chain")
    convert = importlib.import_module("drsformer.calibration.convert")
    calibration = importlib.import_module("drsformer.calibration.cli")
    steps = importlib.import_module("drsformer.export.cli").steps
    if source.io == "float16" and precision == "bf16":
        raise EngineError("a bfloat16 model takes and gives float32 or uint8")
    if source.scales is not None and precision not in ("int8", "fp8"):
        raise EngineError(f"--scales is for --int8 and --fp8, not for --{precision}")
    path = output.with_name(f"{output.stem}.{precision}.onnx")
    float32 = chain.exported(source.path, path, name=f"{output.stem}.onnx")
    samples = chain.samples_of(source.pairs, source.images)
    scales = chain.scales_for(
        float32, path, precision, source.scales, source.images, source.threads
    )
    with steps() as on_step:
        made = convert.convert_file(
            float32, path, precision, samples, scales=scales, io=source.io or "float32",
            threads=source.threads, on_step=on_step,
        )  # fmt: skip
    calibration.print_converted(made)
    return path


def _sizes(proto: Any) -> list[int | None]:
    """Return the input's shape, None where it is free."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    sizes: list[int | None] = [dim.dim_value or None for dim in dims]
    return sizes


def _emit(
    stage: _Stage, onnx: Path, output: Path, settings: Any, script: Path, command: str
) -> None:
    """Write the script beside the ONNX file that it needs."""
    proto = stage.files.load_onnx(onnx)
    manifest = stage.engine.planned_manifest(proto, onnx, settings, command)
    text = stage.script.trtexec_script(
        manifest, settings, engine=output, fixed=None not in _sizes(proto)
    )
    with written_whole(script, inputs=[onnx]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    script.chmod(script.stat().st_mode | 0o111)
    click.echo(f"{script}: copy it to the device with {onnx.name}, and run it there")


def _cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "drs-export"


OnStep = Callable[[str], None]
OnProgress = Callable[[str, int, int], None]


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


def _print_built(built: Any) -> None:
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
    shapes = importlib.import_module("drsformer.manifest").shapes_text
    accepted = " or ".join(map(shapes, manifest.profiles))
    runs_on = manifest.runs_on
    able = ", ".join(runs_on.compute_capabilities) + (" and newer" if runs_on.newer else "")
    title = importlib.import_module("drsformer.flavors").FLAVORS[manifest.flavor].title
    click.echo(
        f"{built.path}: {manifest.engine_bytes / 1e6:.1f} MB, {manifest.precision}, {accepted}, "
        f"{title} {manifest.version}, compute capability {able}"
    )
    click.echo(f"{built.manifest_path}: its manifest; keep the two together")
    if manifest.validation is None:
        click.echo(f"not run yet: `drs-export validate {built.path}` does, where there is a GPU")
