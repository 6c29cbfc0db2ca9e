"""Turns pictures upright: reads the EXIF orientation, turns the pixels, and updates the EXIF.

OpenCV turns pictures only when it also drops their alpha, so they are turned here.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tiff import directory_from_bytes

UPRIGHT = 1
_ORIENTATION = 274  # the EXIF tag
_PREFIX = b"Exif\0\0"  # some programs write it into the EXIF itself


def orientation_from_exif(exif: bytes) -> int:
    """Return the orientation, 1 to 8; 1 (upright) where the EXIF has none or an unknown one."""
    directory = directory_from_bytes(exif.removeprefix(_PREFIX))
    value = directory.values.get(_ORIENTATION, UPRIGHT) if directory else UPRIGHT
    return value if 1 <= value <= 8 else UPRIGHT


def upright_exif(exif: bytes) -> bytes:
    """Return the same EXIF, without the prefix, with its orientation, if any, set to upright."""
    exif = exif.removeprefix(_PREFIX)
    directory = directory_from_bytes(exif)
    if directory is None or _ORIENTATION not in directory.places:
        return exif
    changed = bytearray(exif)
    place = directory.places[_ORIENTATION]
    struct.pack_into(directory.byte_order + "H", changed, place, UPRIGHT)
    return bytes(changed)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror pixels as EXIF asks.

    Args:
        pixels: (H, W) or (H, W, C), any dtype.
        orientation: 1 to 8, as EXIF numbers them.

    Returns:
        The upright pixels, contiguous; orientations 5 to 8 exchange height and width.
    """
    if orientation >= 5:  # stored by columns
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
