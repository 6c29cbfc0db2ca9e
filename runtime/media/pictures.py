"""Reads image files into upright RGB pictures.

    PNG, JPEG, WebP, TIFF, BMP
      -> RGB, 8 or 16 bits; palettes and CMYK become RGB, 1 to 4 bits become 8
      -> alpha apart, untouched; grey remembered; turned upright as EXIF says
    Picture

EXIF and the colour profile are read from PNG, JPEG and WebP; other metadata is not kept.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.contract import Image
from drsformer.errors import ImageError

from .dimensions import MOST_MEGAPIXELS, check_picture_size
from .formats import check_one_picture, format_from_bytes
from .muted_stderr import muted_stderr
from .orientation import orientation_from_exif, upright, upright_exif
from .tiff import with_untouched_colours

EXIF = int(cv2.IMAGE_METADATA_EXIF)
PROFILE = int(cv2.IMAGE_METADATA_ICCP)


@dataclass(frozen=True)
class Picture:
    """An upright picture, and what its file had beside the colours.

    Attributes:
        rgb: uint8 or uint16 (H, W, 3), RGB; three equal channels where `grey`.
        alpha: (H, W) of the same dtype, or None.
        grey: whether the file has one channel of colour.
        exif: a TIFF structure whose orientation is upright, or empty.
        profile: an ICC colour profile, or empty.
    """

    rgb: Image
    alpha: Image | None = None
    grey: bool = False
    exif: bytes = b""
    profile: bytes = b""

    def with_rgb(self, rgb: Image) -> "Picture":
        """Return the picture with other colours and everything else kept."""
        return replace(self, rgb=rgb)


def read_image(path: Path, most_megapixels: float = MOST_MEGAPIXELS) -> Picture:
    """Read one still image.

    Args:
        path: a PNG, JPEG, WebP, TIFF or BMP file; its content says which.
        most_megapixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: the file is missing, unreadable, empty, cut off or not an image, is animated or
            has several pages or too many pixels, or its samples are not integers of up to 16
            bits.
    """
    data = _bytes_from_file(path)
    format_name = format_from_bytes(data, path)
    check_one_picture(data, format_name, path)
    check_picture_size(data, format_name, path, most_megapixels)
    if format_name == "TIFF":
        data = with_untouched_colours(data)
    pixels, exif, profile = _decode(data, path, format_name)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{path}: its samples are {pixels.dtype}; expected integers of 8 or 16 bits, save it so"
        )
    # OpenCV turns TIFF files itself, and never the other formats
    turned = upright(pixels, orientation_from_exif(exif))
    return replace(_picture_from_pixels(turned), exif=upright_exif(exif), profile=profile)


def _bytes_from_file(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # reading a pipe could wait for ever
            raise ImageError(f"{path}: not a regular file; expected an image")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error


def _decode(data: bytes, path: Path, format_name: str) -> tuple[NDArray[Any], bytes, bytes]:
    """Return pixels as OpenCV orders them, EXIF and ICC profile."""
    try:
        with muted_stderr():
            pixels, kinds, blobs = cv2.imdecodeWithMetadata(
                np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED
            )
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot decode it ({error.err})") from error
    if pixels is None:
        raise ImageError(
            f"{path}: a damaged or cut-off {format_name} file; copy it again from its source"
        )
    found = {int(kind): np.asarray(blob).tobytes() for kind, blob in zip(kinds, blobs, strict=True)}
    return pixels, found.get(EXIF, b""), found.get(PROFILE, b"")


def _picture_from_pixels(pixels: NDArray[Any]) -> Picture:
    """Make a picture of (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA."""
    if pixels.ndim == 2:
        return Picture(np.repeat(pixels[:, :, None], 3, axis=2), grey=True)
    rgb = np.ascontiguousarray(pixels[:, :, 2::-1])
    alpha = np.ascontiguousarray(pixels[:, :, 3]) if pixels.shape[2] == 4 else None
    return Picture(rgb, alpha)
