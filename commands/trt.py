"""`drs-export trt`: builds an engine from a checkpoint or an ONNX file.

The steps that are missing run first, each through its room's public functions, and their files
stay beside the engine.
"""

import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import click
import onnx
from rich.table import Table
from rich.text import Text

from drsformer.calibration.precision_rules import kept_parts
from drsformer.contract import CONTRACT, IO
from drsformer.engine.gpu import DEFAULT_DEVICE, gpu_here
from drsformer.engine.libraries import LIBRARIES, Library, module_of
from drsformer.engine.manifest import Manifest, is_engine, manifest_path, shapes_text
from drsformer.errors import EngineError, one_line
from drsformer.export.engine.audit import Audit
from drsformer.export.engine.engine_from_onnx import (
    RTX_DEFAULT,
    BuildRequest,
    BuiltEngine,
    check_output,
    chosen_library,
    contract_of,
    default_timing_cache,
    engine_from_onnx,
    planned_manifest,
)
from drsformer.export.engine.settings import (
    EngineSettings,
    Hardware,
    compute_capabilities_from_text,
)
from drsformer.export.engine.shapes import profiles_from_text
from drsformer.export.engine.trtexec import trtexec_script
from drsformer.export.graph import input_sizes
from drsformer.files import written_whole

from .models import cache_folder
from .options import FILE, FOLDER, THREADS_HELP, WEIGHTS_HELP, packed, precision_flags
from .output import STDOUT, Output, output_options
from .prerequisites import MEASURED_SIDE_OF_TRT, PAIRS_HELP, Source, images_help, typed_onnx
from .progress import progress

GIGABYTE = 1e9
LARGEST_WORKSPACE = 1000 * GIGABYTE
_LIBRARY = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}


@dataclass(frozen=True)
class TrtOptions:
    """The command's options, as the user gave them."""

    source: Path
    engine: Path
    precision: str | None
    build_library: str
    gpu: str | None
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
    timed: bool
    evaluated: bool
    device: int | None
    emit_script: Path | None
    weights: str | None
    output: Output

    @property
    def inputs(self) -> list[Path]:
        """The files that are read, which must not be overwritten."""
        return [self.source, *filter(None, [self.scales])]

    @property
    def to_convert(self) -> Source:
        """What the steps before the build need."""
        return Source(
            self.source,
            self.precision,
            self.io,
            self.images,
            self.pairs,
            self.scales,
            self.threads,
            self.timed,
            self.evaluated,
            self.weights,
        )


@click.command()
@click.argument("source", metavar="INPUT", type=FILE)
@click.option(
    "--output",
    "-o",
    "engine",
    type=FILE,
    required=True,
    help="The engine to write (.engine); with --emit-script the name that the script gives it. "
    "Intermediate files get its name too.",
)
@precision_flags("fp32", "fp16", "bf16", "int8", "fp8")
@click.option("--library", "build_library", type=click.Choice(["auto", *_LIBRARY]), default="auto",
              show_default=True, help="auto: TensorRT with --emit-script; TensorRT-RTX "
              "with --gpu; else TensorRT if it is installed, else TensorRT-RTX.")  # fmt: skip
@click.option("--gpu", help="GPUs to build for, such as sm_86,sm_89; only with TensorRT-RTX.  "
              f"[default: SM {', '.join(RTX_DEFAULT)} and newer, not 9.0; with TensorRT, the GPU "
              "of this machine]")  # fmt: skip
@click.option("--shapes", multiple=True, help="Input size: HEIGHTxWIDTH, tile (512x512), 720p, "
              "1080p, 4k, or MIN:OPT:MAX of these; repeatable.  [default: tile; `run` cuts larger "
              "images into tiles]")  # fmt: skip
@click.option("--batch", default="1", show_default=True,
              help="Number of images per run, or MIN:OPT:MAX.")  # fmt: skip
@click.option("--io", type=click.Choice(get_args(IO)), help="Type of input and output; uint8: "
              "pixels in, pixels out; float16: only with --fp16, --int8 or --fp8.  "
              "[default: INPUT's; float32 for a checkpoint]")  # fmt: skip
@click.option("--workspace", type=click.FloatRange(0, min_open=True),
              help="Scratch memory that a layer may use, GB.  [default: no limit]")  # fmt: skip
@click.option("--level", type=click.IntRange(0, 5), help="Builder optimization level, 0 to 5; "
              "a higher one builds longer and may run faster.  "
              "[default: the library's]")  # fmt: skip
@click.option("--timing-cache", type=FILE,
              help="File of kernel times to use and extend; TensorRT only.  [default: one for each "
              "version, CUDA and GPU, in ~/.cache/drs-export]")  # fmt: skip
@click.option("--version-compatible", is_flag=True,
              help="Let later releases of TensorRT run the engine too: this minor version and all "
              "later ones, to the end of the next major version. TensorRT only; the engine may be "
              "slower.")  # fmt: skip
@click.option("--hardware-compatible", "hardware", default="none", show_default=True,
              type=click.Choice(get_args(Hardware)),
              help="ampere+: any GPU of SM 8.0 or newer runs the engine; same-capability: other "
              "models of the same SM. TensorRT only; the engine may be slower.")  # fmt: skip
@click.option("--strip-weights", is_flag=True,
              help="Build an engine without weights; they are read from the ONNX file, which must "
              "lie beside it. TensorRT-RTX can build it only with a GPU.")  # fmt: skip
@click.option("--refit", is_flag=True, help="Allow your own program to replace the weights "
              "(TensorRT's refitter). TensorRT-RTX can build it only with a GPU.")  # fmt: skip
@click.option("--images", type=FOLDER, help=images_help(MEASURED_SIDE_OF_TRT))
@click.option("--pairs", type=FOLDER, help=PAIRS_HELP)
@click.option("--scales", type=FILE, help="Scales from `calibrate`, for --int8 and --fp8.  "
              "[default: calibrate now]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help=THREADS_HELP)
@click.option("--no-evaluate", "evaluated", flag_value=False, default=True, is_flag=True,
              help="Do not measure the loss of quality: only check, on one small crop, that the "
              "output is finite and how well it agrees with fp32's.")  # fmt: skip
@click.option("--device", type=click.IntRange(0), help="GPU that builds, by its CUDA ordinal.  "
              "[default: 0; TensorRT-RTX needs none]")  # fmt: skip
@click.option(
    "--time",
    "timed",
    is_flag=True,
    help="Also measure how fast ONNX Runtime and OpenVINO run the converted file on the CPU.",
)
@click.option("--emit-script", type=FILE,
              help="Write a shell script instead of an engine. It builds the engine with trtexec, "
              "on a device that has only the SDK; TensorRT only.")  # fmt: skip
@click.option("--weights", help=WEIGHTS_HELP)
@output_options("Print the number of layers that compute in each type too.")
@packed(TrtOptions)
def trt(options: TrtOptions) -> None:
    """Build an engine from INPUT: a checkpoint, an exported or a converted ONNX file.

    Missing steps (export, calibrate, convert) run first; --images, --pairs, --scales, --threads,
    --time and --no-evaluate are for the conversion. Without a precision flag, the engine has the
    precision of the ONNX file, and fp32 for a checkpoint. The types of the network's layers are
    checked against that precision.

    The manifest, written beside the engine (x.engine -> x.engine.json), says what the engine is and
    where it runs.
    """
    check_output(options.engine)
    _check_files(options)
    # settings that no engine can have are refused now, not after minutes of converting
    library = _library(options)
    _settings(options, library, None)
    if not options.emit_script:
        module_of(library)
    if options.device is not None:
        gpu_here(options.device)
    typed, proto = typed_onnx(options.to_convert, options.engine, options.output)
    settings = _settings(options, library, (proto, typed))
    command = shlex.join(["drs-export", *sys.argv[1:]])
    if options.emit_script:
        manifest = planned_manifest(proto, typed, settings, command)
        fixed = None not in input_sizes(proto)
        _emit(
            trtexec_script(manifest, settings, engine=options.engine, fixed=fixed), typed, options
        )
        return
    cache = options.timing_cache or default_timing_cache(
        library, cache_folder(), options.device or DEFAULT_DEVICE
    )
    request = BuildRequest(
        typed, options.engine, settings, kept_parts(proto), command, options.inputs, cache, proto
    )
    with progress() as context:
        built = engine_from_onnx(request, context)
    _report(built, options.output, inputs=[typed, *options.inputs])


def _check_files(options: TrtOptions) -> None:
    """Raise EngineError where a file to write is an input, or is written twice."""
    if is_engine(options.source):
        raise EngineError(
            f"{options.source} is an engine already; give a checkpoint or an ONNX file"
        )
    for name in ("timing_cache", "device"):
        if options.emit_script and getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise EngineError(f"--{option} would have no effect with --emit-script")
    report = None if options.output.json_path == STDOUT else options.output.json_path
    optional = filter(None, [options.timing_cache, options.emit_script, report])
    written = [options.engine, manifest_path(options.engine), *optional]
    for i, path in enumerate(written):
        others = [*options.inputs, *written[:i]]
        if os.path.realpath(path) in map(os.path.realpath, others):
            raise EngineError(
                f"{path} would be written over an input or another output; choose another name"
            )


def _library(options: TrtOptions) -> Library:
    """Return the library to build with; a script needs TensorRT on the device only."""
    if options.emit_script:
        name = "tensorrt" if options.build_library == "auto" else _LIBRARY[options.build_library]
        library = LIBRARIES[name]
    else:
        library = chosen_library(options.build_library, _compute_capabilities(options))
    if options.timing_cache and library.name != "tensorrt":
        raise EngineError(
            "--timing-cache is an option of TensorRT; TensorRT-RTX measures no times when it builds"
        )
    return library


def _compute_capabilities(options: TrtOptions) -> tuple[str, ...]:
    return () if options.gpu is None else compute_capabilities_from_text(options.gpu)


def _settings(
    options: TrtOptions, library: Library, model: tuple[onnx.ModelProto, Path] | None
) -> EngineSettings:
    """Return the settings of the build, for a model or, before there is one, for any model."""
    contract = CONTRACT
    sizes: list[int | None] = [None] * len(CONTRACT.layout)
    if model is not None:
        contract, sizes = contract_of(*model), input_sizes(model[0])
    return EngineSettings(
        library,
        profiles_from_text(options.shapes, options.batch, contract, sizes),
        _compute_capabilities(options),
        _bytes_of(options.workspace),
        options.level,
        options.version_compatible,
        options.hardware,
        options.strip_weights,
        options.refit,
        options.device,
    )


def _bytes_of(workspace: float | None) -> int | None:
    """Return gigabytes as bytes."""
    if workspace is None:
        return None
    if not 1 <= workspace * GIGABYTE < LARGEST_WORKSPACE:
        raise EngineError(f"--workspace is {workspace:g} GB; expected more than 0, up to 1000")
    return round(workspace * GIGABYTE)


def _emit(text: str, typed: Path, options: TrtOptions) -> None:
    """Write the script that builds the engine from the typed ONNX file on another device."""
    script, inputs = options.emit_script, [typed, *options.inputs]
    assert script is not None
    with written_whole(script, inputs=inputs) as temporary:
        temporary.write_text(text, encoding="utf-8")
    script.chmod(script.stat().st_mode | 0o111)
    options.output.result(f"{script}: copy it to the device with {typed.name}, and run it there")
    values = {"script": str(script), "onnx_file": str(typed), "engine": options.engine.name}
    options.output.write_json(values, inputs=inputs)


def _report(built: BuiltEngine, output: Output, inputs: list[Path]) -> None:
    """Print the result in one line, then warnings; the layers with -v."""
    manifest = built.manifest
    output.result(f"{built.path}: {_summary(manifest)}; not run yet")
    for warning in built.warnings:
        output.note(f"warning: {one_line(warning, limit=200)}")
    output.detail(_layer_table(built.audit))
    output.detail(Text(f"{built.manifest_path}: the manifest; keep it beside the engine"))
    output.detail(Text(f"`drs-export validate {built.path}` runs the engine, where there is a GPU"))
    output.write_json(_values(built), inputs=inputs)


def _summary(manifest: Manifest) -> str:
    """Return "12.3 MB, fp16, 1x3x512x512, TensorRT-RTX 1.7.1.116, compute capability 8.9"."""
    accepted = " or ".join(map(shapes_text, manifest.profiles))
    runs_on = manifest.runs_on
    able = ", ".join(runs_on.compute_capabilities) + (" and newer" if runs_on.newer else "")
    library = f"{LIBRARIES[manifest.flavor].title} {manifest.version}"
    size = f"{manifest.engine_bytes / 1e6:.1f} MB"
    return f"{size}, {manifest.precision}, {accepted}, {library}, compute capability {able}"


def _layer_table(audit: Audit) -> Table:
    """Return how many layers compute in each type, and which parts stay in float32 by rule."""
    table = Table("computes in", "layers")
    for name, count in sorted(audit.layers.items()):
        table.add_row(name, str(count))
    for part, count in audit.float32_parts.items():
        table.add_row(f"float32 by rule: {part}", str(count))
    return table


def _values(built: BuiltEngine) -> dict[str, Any]:
    """Return the result as plain values, for JSON."""
    return {
        "path": str(built.path),
        "manifest_path": str(built.manifest_path),
        "manifest": asdict(built.manifest),
        "audit": asdict(built.audit),
        "warnings": list(built.warnings),
    }
