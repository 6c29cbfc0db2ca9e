"""Steps before a conversion that a user may leave out; the files they make stay by the output."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import onnx
from rich.markup import escape

from drsformer.calibration.convert import ConversionRequest, convert_file
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
from drsformer.calibration.precision_rules import LowPrecision
from drsformer.calibration.quantize import QUANTIZED_DTYPES
from drsformer.calibration.scales import Scales, check_belongs, scales_from_file
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.contract import IO
from drsformer.errors import DRSformerError, EngineError
from drsformer.export.engine.audit import precision_of
from drsformer.export.engine.engine_from_onnx import contract_of
from drsformer.export.graph import load_onnx
from drsformer.export.uint8_io import check_uint8_io, with_uint8_io
from drsformer.files import sha256_of, written_whole

from .imports import lasting_imports
from .output import Output
from .printing import converted_lines
from .progress import progress

# what is measured of a folder that is there to calibrate with: a full-size image takes minutes
MOST_MEASURED = 4
MEASURED_SIDE = CROP_SIDE
MEASURED_SIDE_OF_TRT = 96  # a build must not wait for more; `convert` measures in full
TRIED_SIDE = 64  # pixels, of the crop that --no-evaluate runs
PAIRS_HELP = (
    "Folder with input/ (rainy) and target/ (clean). A pair has the same file name in both "
    "folders, apart from the ending. All pairs are measured, whole, instead of --images; none is "
    "used to calibrate."
)
NO_OPTIONS = Output()


def images_help(side: int) -> str:
    """Return the help of --images of a command that measures squares of `side` pixels."""
    return (
        f"Folder of rainy images to calibrate with (at least 4 of {CROP_SIDE}x{CROP_SIDE} or "
        f"more); the middle {side}x{side} of the first {MOST_MEASURED} are measured. With input/ "
        "and target/ in it, the images of input/ are used, and the loss against target/ is "
        "measured too.  [default: synthetic rain; to calibrate, on photos of scikit-image, extra "
        "`calibration`; to measure, on photos of this package]"
    )


@dataclass(frozen=True)
class Source:
    """What an engine is made from.

    Attributes:
        path: a checkpoint or an ONNX file.
        precision: the precision asked for; None for that of the file.
        io: type of input and output; None for that of the file.
        images: folder to calibrate and to measure with.
        pairs: folder with input/ and target/, to measure with.
        scales: a scales file, for INT8 and FP8.
        threads: of the inference libraries that measure.
        timed: whether the CPU libraries are timed with the converted file.
        evaluated: whether the loss of quality is measured; otherwise one small crop is run, which
            tells whether the output is finite, and how well it agrees with float32's.
        weights: name of the weights to take, where a checkpoint has several.
    """

    path: Path
    precision: str | None
    io: IO | None
    images: Path | None
    pairs: Path | None
    scales: Path | None
    threads: int | None
    timed: bool = False
    evaluated: bool = True
    weights: str | None = None


def exported(
    source: Path,
    beside: Path,
    output: Output,
    *,
    name: str | None = None,
    io: Literal["float32", "uint8"] = "float32",
    weights: str | None = None,
) -> Path:
    """Return the float32 ONNX file; a checkpoint is exported first.

    Args:
        source: an ONNX file, which is returned, or a checkpoint.
        beside: the file that is made of it; the export goes into the same folder.
        output: told of a file that is written.
        name: of the export; by default the checkpoint's, with .onnx.
        io: type of the export's input and output.
        weights: name of the weights to take, where a checkpoint has several.

    Raises:
        DRSformerError: the export would overwrite `beside`, or fails.
    """
    if source.suffix == ".onnx":
        _refuse_weights(source, weights)
        return source
    with lasting_imports():  # an ONNX file needs no torch, a checkpoint does
        from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
        from drsformer.export.onnx_from_model import ExportSettings

    path = beside.with_name(name or f"{source.stem}.onnx")
    if path == beside:
        raise DRSformerError(
            f"{beside} is where the float32 export of {source} goes; give the output another name"
        )
    with progress() as context:
        made = onnx_from_checkpoint(source, path, ExportSettings(io=io), context, weights)
    size = made.path.stat().st_size / 1e6
    output.note(f"{made.path}: {size:.1f} MB, {made.nodes} nodes, agrees with the checkpoint")
    for remark in made.remarks:
        output.note(remark)
    return path


def _refuse_weights(onnx_file: Path, weights: str | None) -> None:
    """Raise DRSformerError where weights of an ONNX file are to be chosen."""
    if weights is not None:
        raise DRSformerError(f"--weights is for checkpoints, and {onnx_file} is an ONNX file")


def samples_of(
    pairs: Path | None, images: Path | None, output: Output, side: int = MEASURED_SIDE
) -> list[Sample]:
    """Return images to measure with, and note where they come from unless it is `pairs`.

    Args:
        pairs: folder with input/ and target/; all of them are taken, whole.
        images: folder of images, or of pairs; the middles of `MOST_MEASURED` of them are taken.
        output: told where the images come from.
        side: of the square that is taken out of each image, unless it is of `pairs`, pixels.

    Raises:
        ImageError: there is no image, a pair is incomplete, or one cannot be read.
        CalibrationError: the two images of a pair differ in size.
    """
    if pairs is not None:
        return samples_from_folder(pairs)
    if images is None:
        output.note("no images given: measuring with synthetic rain on photos of this package")
        return [middle(sample, side) for sample in synthetic_samples()]
    found = samples_from_folder(images, most=MOST_MEASURED)
    output.note(
        f"measuring with {len(found)} images of {images}, at most the middle {side} x {side} "
        "pixels of each; --pairs takes all, whole"
    )
    return [middle(sample, side) for sample in found]


def crops_of(folder: Path | None, count: int, side: int, output: Output) -> Crops:
    """Return images to calibrate with: crops of a folder, or synthetic rain, which is noted."""
    if folder is not None:
        return crops_from_folder(folder, count, side)
    output.note(f"no images given: calibrating with {SYNTHETIC}")
    return synthetic_crops(count, side)


def scales_for(
    request: ConversionRequest, path: Path | None, images: Path | None, output: Output
) -> Scales | None:
    """Return the scales of a conversion to a quantised precision; None for another.

    Args:
        request: the conversion, still without scales.
        path: a scales file; where it is None, one is made beside the output.
        images: folder to calibrate with.
        output: told of a file that is written.
    """
    source, precision = request.source, request.precision
    if precision not in QUANTIZED_DTYPES:
        return None
    check_convertible(load_onnx(source), str(source))
    if path is not None:
        scales = scales_from_file(path)
        check_belongs(scales, path, sha256_of(source), source, precision)
        return scales
    crops = crops_of(images, CROP_COUNT, CROP_SIDE, output)
    path = request.output.with_suffix(".scales.json")
    with written_whole(path, inputs=[source]) as temporary, progress() as context:
        scales = scales_from_images(
            source, crops, precision=precision, threads=request.threads, context=context
        )
        temporary.write_text(scales.to_json())
    output.note(f"{path}: {len(scales.tensors)} scales from {crops.source}")
    return scales


def typed_onnx(
    source: Source, beside: Path, output: Output = NO_OPTIONS
) -> tuple[Path, onnx.ModelProto]:
    """Return an ONNX file of the precision asked for, and its model; one that is missing is made.

    Args:
        source: the model, and what is asked for.
        beside: the file that is made of it; the ONNX file goes into the same folder.
        output: told of each file that is written.

    Raises:
        DRSformerError: the source is no model of ours, or already in another precision.
    """
    wanted = source.precision or "fp32"
    if source.path.suffix == ".onnx":
        proto = load_onnx(source.path)
        found = precision_of(proto)
        if found != "fp32" or source.precision in (None, found):
            return _unconverted(source, found, proto, beside, output)
    elif wanted == "fp32":
        io = source.io or "float32"
        if io == "float16":
            raise EngineError("--io float16 is for --fp16, --int8 and --fp8")
        _refuse_unused(source, wanted)
        name = f"{beside.stem}.onnx"
        made = exported(source.path, beside, output, name=name, io=io, weights=source.weights)
        return made, load_onnx(made)
    made = _converted(source, wanted, beside, output)
    return made, load_onnx(made)


def _refuse_unused(source: Source, precision: str) -> None:
    """Raise EngineError for options of a conversion where there is none."""
    given = {name: getattr(source, name) for name in ("scales", "images", "pairs", "threads")}
    flags = {"time": source.timed or None, "no-evaluate": None if source.evaluated else True}
    for name, value in (given | flags).items():
        if value is not None:
            raise EngineError(
                f"--{name} would have no effect: {source.path} stays in {precision}, and is "
                "neither calibrated nor measured"
            )


def _unconverted(
    source: Source, found: str, proto: onnx.ModelProto, beside: Path, output: Output
) -> tuple[Path, onnx.ModelProto]:
    """Return the ONNX file itself, or a copy with uint8 input and output if asked for."""
    if source.precision not in (None, found):
        raise EngineError(
            f"{source.path} is in {found} already; leave --{source.precision} out, or give the "
            "float32 file"
        )
    _refuse_unused(source, found)
    _refuse_weights(source.path, source.weights)
    dtype = contract_of(proto, source.path).dtype
    if source.io in (None, dtype):
        return source.path, proto
    if source.io != "uint8" or dtype != "float32":
        raise EngineError(
            f"{source.path} has {dtype} input and output, and --io says {source.io}; export or "
            f"convert it with --io {source.io}"
        )
    made = with_uint8_io(proto)
    path = beside.with_name(f"{source.path.stem}.uint8.onnx")
    check_uint8_io(runnable(made), str(path))
    with written_whole(path, inputs=[source.path]) as temporary:
        temporary.write_bytes(made.SerializeToString(deterministic=True))
    output.note(f"{path}: the same model with uint8 input and output")
    return path, made


def _crop_to_try() -> Sample:
    """Return a small rainy crop without a target."""
    return replace(middle(synthetic_samples()[0], TRIED_SIDE), clean=None)


def _check_measures(source: Source, precision: str) -> None:
    """Raise EngineError for images to measure with where nothing is measured."""
    if source.evaluated:
        return
    unused = ["pairs"] if precision in QUANTIZED_DTYPES else ["pairs", "images"]
    for name in unused:
        if getattr(source, name) is not None:
            raise EngineError(
                f"--{name} would have no effect with --no-evaluate: no quality is measured"
            )


def _converted(source: Source, precision: str, beside: Path, output: Output) -> Path:
    """Convert to a lower precision, into the folder of `beside`."""
    if source.io == "float16" and precision == "bf16":
        raise EngineError("a bfloat16 model takes and gives float32 or uint8")
    if source.scales is not None and precision not in QUANTIZED_DTYPES:
        raise EngineError(f"--scales is for --int8 and --fp8, not for --{precision}")
    _check_measures(source, precision)
    path = beside.with_name(f"{beside.stem}.{precision}.onnx")
    float32 = exported(
        source.path, path, output, name=f"{beside.stem}.onnx", weights=source.weights
    )
    request = ConversionRequest(
        float32,
        path,
        cast(LowPrecision, precision),
        io=source.io or "float32",
        threads=source.threads,
        timed=source.timed,
        with_fp32_top_k=False,  # a figure that `trt` does not show
    )
    request = replace(request, scales=scales_for(request, source.scales, source.images, output))
    samples = [_crop_to_try()]
    if source.evaluated:
        samples = samples_of(source.pairs, source.images, output, MEASURED_SIDE_OF_TRT)
    with progress() as context:
        made = convert_file(request, samples, context)
    *lines, report = converted_lines(made)
    for line in lines:
        output.note(line)
    output.detail(escape(report))
    return path
