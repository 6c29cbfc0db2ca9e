"""Says what a file is: image or video by its name, and an image's format by its first bytes.

The content decides how an image is read, as decoders do it; the name decides how one is written.
Files of several pictures are refused, because a decoder would return the first and drop the rest.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from drsformer.errors import ImageError

from .tiff import directory_from_bytes

Kind = Literal["image", "video"]

# a name's ending -> the format that is written
IMAGE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

# a name's ending -> OpenCV's name of the codec that is written
VIDEO_CODECS = {
    ".mp4": "mp4v",
    ".m4v": "mp4v",
    ".mov": "mp4v",
    ".avi": "MJPG",
    ".mkv": "FFV1",
    ".webm": "VP90",
}

# endings of pictures and videos that are not read; such a file is refused as what it is
OTHER_MEDIA = [
    ".gif", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".exr", ".hdr", ".ppm",
    ".pgm", ".dng", ".cr2", ".cr3", ".nef", ".arw",
    ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".ogv", ".vob",
]  # fmt: skip

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
LONGEST_START = 12  # bytes that tell a format
_SAMPLES_PER_PIXEL = 277


def kind_from_name(path: Path) -> Kind | None:
    """Return what a name's ending says the file is; None for endings that are not read."""
    ending = path.suffix.lower()
    if ending in IMAGE_FORMATS:
        return "image"
    return "video" if ending in VIDEO_CODECS else None


def is_media(path: Path) -> bool:
    """Whether a file is an image or a video, by its name, or an image by its first bytes.

    Those that cannot be read count too.
    """
    if kind_from_name(path) or path.suffix.lower() in OTHER_MEDIA:
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            format_from_bytes(file.read(LONGEST_START), path)
    except (OSError, ImageError):
        return False
    return True


def format_from_name(path: Path) -> str:
    """Return the format that an image of this name is written in.

    Raises:
        ImageError: the name's ending stands for no format that is written.
    """
    try:
        return IMAGE_FORMATS[path.suffix.lower()]
    except KeyError:
        raise ImageError(
            f"{path}: a name ending in {path.suffix or 'nothing'!r} does not say which format to "
            f"write; use one of {', '.join(IMAGE_FORMATS)}, or pass --format"
        ) from None


def format_from_bytes(data: bytes, path: Path) -> str:
    """Return an image's format by its first bytes, whatever the file is called.

    Args:
        data: the content of the file.
        path: the file's name, for the error.

    Raises:
        ImageError: the file is empty, or has none of the formats that are read.
    """
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); copy it again from its source")
    for start, name in _STARTS.items():
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise ImageError(
        f"{path}: not a PNG, JPEG, WebP, TIFF or BMP image, whatever its name "
        "says; save it as PNG or JPEG"
    )


def check_one_picture(data: bytes, format_name: str, path: Path) -> None:
    """Raise ImageError for an animation, a TIFF of several pages, or a TIFF of grey and alpha."""
    if format_name == "PNG" and "acTL" in _png_chunks_before_pixels(data):
        raise ImageError(f"{path}: an animated PNG; save its frames as separate files")
    if format_name == "WebP" and data[12:16] == b"VP8X" and data[20:21] and data[20] & 2:
        raise ImageError(f"{path}: an animated WebP; save its frames as separate files")
    if format_name == "TIFF":
        _check_tiff(data, path)


def _png_chunks_before_pixels(data: bytes) -> set[str]:
    return set(_png_chunk_names(data))


def _png_chunk_names(data: bytes) -> Iterator[str]:
    """Yield the chunks' names up to the first pixels, or up to where the file is cut off."""
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"IDAT":
            return
        yield name.decode("latin-1")
        place += 12 + length


def _check_tiff(data: bytes, path: Path) -> None:
    directory = directory_from_bytes(data)
    if directory is None:
        raise ImageError(f"{path}: a damaged or cut-off TIFF file; copy it again from its source")
    if directory.next_place:
        raise ImageError(f"{path}: a TIFF of several pages; save each page as its own file")
    if directory.values.get(_SAMPLES_PER_PIXEL) == 2:
        # OpenCV reads these as plain grey: the alpha would be lost silently
        raise ImageError(f"{path}: a TIFF of grey and alpha, which cannot be read; save it as RGBA")
