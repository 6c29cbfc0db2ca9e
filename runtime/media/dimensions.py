"""Width and height of a picture as its file's first bytes say, before anything is decoded.

A small file can hold a huge picture: a PNG of 2.6 MB may have 900 megapixels, which take 2.7 GB as
8-bit RGB. So what is too large is refused before its pixels take memory.
"""

import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from drsformer.errors import ImageError

from .tiff import directory_from_bytes

Dimensions = tuple[int, int]  # width and height, pixels

MOST_MEGAPIXELS = 500
OPENCV_MOST_PIXELS = 2**30  # its decoders refuse more, unless this variable says otherwise
OPENCV_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
_WIDTH, _HEIGHT = 256, 257  # TIFF's tags
# JPEG's markers of a frame: C0 to CF, without tables (C4, CC) and the one that is reserved (C8)
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def check_picture_size(data: bytes, format_name: str, path: Path, most_megapixels: float) -> None:
    """Raise ImageError for a picture of more pixels than the limit, or than OpenCV decodes.

    Args:
        data: the content of the file.
        format_name: its format, as `format_from_bytes` gives it.
        path: the file's name, for the error.
        most_megapixels: the limit, millions of pixels.
    """
    found = dimensions_from_bytes(data, format_name)
    if found is None:  # damaged: the decoder says so
        return
    check_megapixels(*found, path, most_megapixels)
    most = _most_of_opencv()
    if math.prod(found) > most:
        raise ImageError(
            f"{path}: {found[0]} x {found[1]} pixels are more than the {most / 1e6:.0f} megapixels "
            "that OpenCV decodes; save it in parts"
        )


def check_megapixels(width: int, height: int, path: Path, most_megapixels: float) -> None:
    """Raise ImageError for a picture or frame of more millions of pixels than the limit."""
    megapixels = width * height / 1e6
    if megapixels > most_megapixels:
        raise ImageError(
            f"{path}: {width} x {height} pixels are {megapixels:.4g} megapixels, and the limit is "
            f"{most_megapixels:g}; if the file is to be trusted, pass --max-megapixels "
            f"{math.ceil(megapixels)} to `run` or `evaluate`"
        )


def dimensions_from_bytes(data: bytes, format_name: str) -> Dimensions | None:
    """Return width and height as stored, before any turning; None where the header is damaged."""
    try:
        return _READERS[format_name](data)
    except (struct.error, IndexError):
        return None


def _most_of_opencv() -> int:
    given = os.environ.get(OPENCV_VARIABLE, "")
    return int(given) if given.isdigit() else OPENCV_MOST_PIXELS


def _of_png(data: bytes) -> Dimensions | None:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _of_bmp(data: bytes) -> Dimensions | None:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return abs(width), abs(height)  # a negative height: the top row comes first


def _of_webp(data: bytes) -> Dimensions | None:
    kind = data[12:16]
    if kind == b"VP8X":  # 24 bits each, less one
        packed = int.from_bytes(data[24:30], "little")
        return (packed & 0xFFFFFF) + 1, (packed >> 24) + 1
    if kind == b"VP8L":  # 14 bits each, less one
        (packed,) = struct.unpack_from("<I", data, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)  # beside 2 bits of scaling each
    return width & 0x3FFF, height & 0x3FFF


def _of_jpeg(data: bytes) -> Dimensions | None:
    for marker, place in _jpeg_segments(data):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 3)
            return width, height
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each segment's marker and the place of its length."""
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif marker in _WITHOUT_LENGTH:
            place += 2
        else:
            yield marker, place + 2
            (length,) = struct.unpack_from(">H", data, place + 2)
            place += 2 + length


def _of_tiff(data: bytes) -> Dimensions | None:
    directory = directory_from_bytes(data)
    if directory is None:
        return None
    values = directory.longs | directory.values
    if _WIDTH not in values or _HEIGHT not in values:
        return None
    return values[_WIDTH], values[_HEIGHT]


_READERS: dict[str, Callable[[bytes], Dimensions | None]] = {
    "PNG": _of_png,
    "JPEG": _of_jpeg,
    "WebP": _of_webp,
    "TIFF": _of_tiff,
    "BMP": _of_bmp,
}
