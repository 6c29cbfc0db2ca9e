"""The steps before a conversion that a user may leave out, each made and kept beside the output."""

from pathlib import Path
from typing import Literal

import click

from drsformer.errors import DRSformerError
from drsformer.export.cli import print_exported, steps
from drsformer.export.onnx_from_checkpoint import load_onnx, onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.export.precision import check_convertible
from drsformer.files import sha256_of, written_whole

from .quantized import GRIDS
from .samples import (
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
from .scales import Scales, check_belongs, scales_from_file
from .scales_from_images import scales_from_images

# what is judged of a folder that is there to calibrate with: at full size an image takes minutes
MOST_JUDGED = 4
JUDGED_SIDE = CROP_SIDE


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
    with steps() as on_step:
        made = onnx_from_checkpoint(source, path, ExportSettings(io=io), on_step=on_step)
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
    with written_whole(path, inputs=[source]) as temporary, steps() as on_step:
        scales = scales_from_images(source, crops, grid=precision, threads=threads, on_step=on_step)
        temporary.write_text(scales.to_json())
    click.echo(f"{path}: {len(scales.tensors)} scales from {crops.source}")
    return scales
