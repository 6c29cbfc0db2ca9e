"""Writes pictures as they were read: the same channels and bits, in the format of the new name.

EXIF and the colour profile are written to PNG, JPEG and WebP, with the orientation set to upright,
since the pixels are upright; TIFF and BMP get none. OpenCV writes no picture of grey and alpha:
such a picture becomes RGBA.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ImageError
from drsformer.files import written_whole

from .formats import format_from_name
from .muted_stderr import muted_stderr
from .pictures import EXIF, PROFILE, Picture

DEFAULT_QUALITY = 95
_LOSSLESS = 100  # the --quality from which WebP is lossless

_PROFILE_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"RGB "}  # channels -> what the profile must be for
_WITH_ALPHA = ("PNG", "WebP", "TIFF", "BMP")
_WITH_16_BITS = ("PNG", "TIFF")


def write_image(picture: Picture, path: Path, quality: int = DEFAULT_QUALITY) -> None:
    """Write a picture in the format that its new name asks for, whole or not at all.

    Args:
        picture: what to write.
        path: the new file; an existing one is replaced.
        quality: quality of JPEG and WebP, 1 to 100; WebP is lossless at 100.

    Raises:
        ImageError: the format cannot hold the picture.
        DRSformerError: the place cannot be written, or the disk is full.
    """
    write_images({path: picture}, quality)


def write_images(pictures: Mapping[Path, Picture], quality: int = DEFAULT_QUALITY) -> None:
    """Write pictures that belong together: each is written as by `write_image`, or none is."""
    with ExitStack() as stack:
        for path, picture in pictures.items():
            data = _encoded(picture, path, quality)
            stack.enter_context(written_whole(path)).write_bytes(data)


def check_fits(picture: Picture, path: Path) -> str:
    """Return the format that a name asks for.

    Raises:
        ImageError: the name asks for none, or the format would lose the picture's alpha or bits.
    """
    format_name = format_from_name(path)
    if picture.alpha is not None and format_name not in _WITH_ALPHA:
        raise ImageError(f"{path}: {format_name} holds no transparency; pass --format png")
    if picture.rgb.dtype == np.uint16 and format_name not in _WITH_16_BITS:
        raise ImageError(
            f"{path}: {format_name} holds 8 bits and the image has 16; pass --format png"
        )
    return format_name


def _encoded(picture: Picture, path: Path, quality: int) -> bytes:
    """Return the content of the file."""
    settings = _settings(check_fits(picture, path), quality)
    pixels = _pixels_from_picture(picture)
    kinds, blobs = _metadata_for(picture, 1 if pixels.ndim == 2 else pixels.shape[2])
    try:
        with muted_stderr():
            good, data = cv2.imencodeWithMetadata(path.suffix, pixels, kinds, blobs, settings)
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot encode it ({error.err})") from error
    if not good:
        height, width = pixels.shape[:2]
        raise ImageError(f"{path}: {width} x {height} pixels are more than this format holds")
    return data.tobytes()


def _pixels_from_picture(picture: Picture) -> NDArray[Any]:
    """Return pixels in OpenCV's order; a grey picture's are the luma of the derained colours."""
    if picture.grey:
        return cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY)
    bgr = picture.rgb[:, :, ::-1]
    return np.ascontiguousarray(bgr) if picture.alpha is None else np.dstack([bgr, picture.alpha])


def _metadata_for(picture: Picture, channels: int) -> tuple[list[int], list[NDArray[np.uint8]]]:
    """Return kinds and contents of what is stored beside the pixels."""
    metadata = {EXIF: picture.exif}
    # a CMYK profile on pixels that are now RGB would show wrong colours
    if picture.profile[16:20] == _PROFILE_SPACES[channels]:
        metadata[PROFILE] = picture.profile
    kept = {kind: np.frombuffer(blob, np.uint8) for kind, blob in metadata.items() if blob}
    return list(kept), list(kept.values())


def _settings(format_name: str, quality: int) -> list[int]:
    """Return OpenCV's encoder settings, name and value in turn."""
    if format_name == "JPEG":
        # no chroma subsampling: the loss should be the network's, not the encoder's
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        return [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling]
    if format_name == "WebP":
        # OpenCV takes anything above 100 as lossless
        return [cv2.IMWRITE_WEBP_QUALITY, quality + (quality >= _LOSSLESS)]
    return []
