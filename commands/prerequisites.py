"""The steps before a conversion that a user may leave out, each made and kept beside the output."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import click
import onnx

from drsformer.calibration.convert import convert_file
from drsformer.calibration.crops import (
    CROP_COUNT,
    CROP_SIDE,
    SYNTHETIC,
    Crops,
    Sample,
    crops_from_folder,
    middle,
    samples_from_folder,
    synthetic_crops,
    synthetic_samples,
)
from drsformer.calibration.evaluate.simulated_precision import runnable
from drsformer.calibration.mixed_precision import check_convertible
from drsformer.calibration.quantize import GRIDS
from drsformer.calibration.rules import Precision
from drsformer.calibration.scales import Scales, check_belongs, scales_from_file
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.contract import IO
from drsformer.errors import DRSformerError, EngineError
from drsformer.export.engine.audit import precision_of
from drsformer.export.engine.engine_from_onnx import contract_of
from drsformer.export.graph import load_onnx
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.export.uint8_io import check_uint8_io, with_uint8_io
from drsformer.files import sha256_of, written_whole

from .printing import print_converted, print_exported
from .progress import progress

# what is judged of a folder that is there to calibrate with: at full size an image takes minutes
MOST_JUDGED = 4
JUDGED_SIDE = CROP_SIDE


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


def exported(
    source: Path,
    output: Path,
    *,
    name: str | None = None,
    io: Literal["float32", "uint8"] = "float32",
) -> Path:
    """Return the float32 ONNX file; a checkpoint is exported beside the output first.

    Args:
        source: an ONNX file, which is returned, or a checkpoint.
        output: what is made of it.
        name: of the export; by default the checkpoint's, with .onnx.
        io: type of the export's input and output.

    Raises:
        DRSformerError: the export would be where the output goes, or fails.
    """
    if source.suffix == ".onnx":
        return source
    path = output.with_name(name or f"{source.stem}.onnx")
    if path == output:
        raise DRSformerError(
            f"{output} is where the float32 export of {source} goes; name the output otherwise"
        )
    with progress() as context:
        made = onnx_from_checkpoint(source, path, ExportSettings(io=io), context)
    print_exported(made)
    return path


def samples_of(pairs: Path | None, images: Path | None) -> list[Sample]:
    """Return images to judge by: pairs, parts of a folder's images, or our own, and then say so.

    Args:
        pairs: folder with input/ and target/; all are taken, whole.
        images: folder of images, or of pairs; `MOST_JUDGED` of them are taken, of each the middle.

    Raises:
        ImageError: there is no image, a pair is incomplete, or one cannot be read.
        CalibrationError: a pair's sizes differ.
    """
    if pairs is not None:
        return list(samples_from_folder(pairs))
    if images is None:
        click.echo(f"no images given: judging with {SYNTHETIC}")
        return synthetic_samples()
    found = samples_from_folder(images, most=MOST_JUDGED)
    click.echo(
        f"judging with {len(found)} images of {images}, at most the middle {JUDGED_SIDE} x "
        f"{JUDGED_SIDE} pixels of each; --pairs takes all, whole"
    )
    return [middle(sample, JUDGED_SIDE) for sample in found]


def crops_of(folder: Path | None, count: int, size: int) -> Crops:
    """Return images to calibrate with: a folder's, or our own, and then say so."""
    if folder is not None:
        return crops_from_folder(folder, count, size)
    click.echo(f"no images given: calibrating with {SYNTHETIC}")
    return synthetic_crops(count, size)


def scales_for(
    source: Path,
    output: Path,
    precision: str,
    path: Path | None,
    images: Path | None,
    threads: int | None,
) -> Scales | None:
    """Return the scales that a quantised precision needs: given, or made and kept."""
    if precision not in GRIDS:
        return None
    check_convertible(load_onnx(source), str(source))
    if path is not None:
        scales = scales_from_file(path)
        check_belongs(scales, path, sha256_of(source), source, precision)
        return scales
    crops = crops_of(images, CROP_COUNT, CROP_SIDE)
    path = output.with_suffix(".scales.json")
    with written_whole(path, inputs=[source]) as temporary, progress() as context:
        scales = scales_from_images(
            source, crops, grid=precision, threads=threads, on_step=context.step
        )
        temporary.write_text(scales.to_json())
    click.echo(f"{path}: {len(scales.tensors)} scales from {crops.source}")
    return scales


def typed_onnx(source: Source, output: Path) -> Path:
    """Return an ONNX file of the precision asked for, made beside `output` where it is missing.

    Raises:
        DRSformerError: the input is no model of ours, or already in another precision.
    """
    wanted = source.precision or "fp32"
    if source.path.suffix == ".onnx":
        proto = load_onnx(source.path)
        found = precision_of(proto)
        if found != "fp32" or source.precision in (None, found):
            return _as_it_is(source, found, proto, output)
    elif wanted == "fp32":
        io = source.io or "float32"
        if io == "float16":
            raise EngineError("--io float16 is for --fp16, --int8 and --fp8")
        _refuse_unused(source, wanted)
        return exported(source.path, output, name=f"{output.stem}.onnx", io=io)
    return _converted(source, wanted, output)


def _refuse_unused(source: Source, precision: str) -> None:
    """Raise EngineError for options of a conversion where there is none."""
    for name in ("scales", "images", "pairs", "threads"):
        if getattr(source, name) is not None:
            raise EngineError(
                f"--{name} would have no effect: {source.path} stays in {precision}, and is "
                "neither calibrated nor judged"
            )


def _as_it_is(source: Source, found: str, proto: onnx.ModelProto, output: Path) -> Path:
    """Return the ONNX file itself, or with uint8 input and output if these were asked for."""
    if source.precision not in (None, found):
        raise EngineError(
            f"{source.path} is in {found} already; leave --{source.precision} out, or give the "
            "float32 file"
        )
    _refuse_unused(source, found)
    dtype = contract_of(proto, source.path).dtype
    if source.io in (None, dtype):
        return source.path
    if source.io != "uint8" or dtype != "float32":
        raise EngineError(
            f"{source.path} has {dtype} input and output, and --io says {source.io}; export or "
            "convert it with that"
        )
    made = with_uint8_io(proto)
    path = output.with_name(f"{source.path.stem}.uint8.onnx")
    check_uint8_io(runnable(made), str(path))
    with written_whole(path, inputs=[source.path]) as temporary:
        temporary.write_bytes(made.SerializeToString(deterministic=True))
    click.echo(f"{path}: the same model with uint8 input and output")
    return path


def _converted(source: Source, precision: str, output: Path) -> Path:
    """Convert to a lower precision beside `output`."""
    if source.io == "float16" and precision == "bf16":
        raise EngineError("a bfloat16 model takes and gives float32 or uint8")
    if source.scales is not None and precision not in ("int8", "fp8"):
        raise EngineError(f"--scales is for --int8 and --fp8, not for --{precision}")
    path = output.with_name(f"{output.stem}.{precision}.onnx")
    float32 = exported(source.path, path, name=f"{output.stem}.onnx")
    samples = samples_of(source.pairs, source.images)
    scales = scales_for(float32, path, precision, source.scales, source.images, source.threads)
    with progress() as context:
        made = convert_file(
            float32, path, cast(Precision, precision), samples, scales=scales,
            io=source.io or "float32", threads=source.threads, on_step=context.step,
        )  # fmt: skip
    print_converted(made)
    return path
