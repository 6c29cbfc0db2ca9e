"""What a file is by its name and an image by its first bytes, before any decoder touches it.

Formats are told apart by content, as decoders do; names only decide what is written. Files of
several pictures are refused, because a decoder would hand back the first and drop the rest.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from drsformer.errors import ImageError

from .tiff import directory_from_bytes

# what a name's ending asks the encoder for
IMAGE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

# likewise, and OpenCV's name of the codec
VIDEO_CODECS = {
    ".mp4": "mp4v",
    ".m4v": "mp4v",
    ".mov": "mp4v",
    ".avi": "MJPG",
    ".mkv": "FFV1",
    ".webm": "VP90",
}

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_SAMPLES_PER_PIXEL = 277


def is_image_name(path: Path) -> bool:
    """Whether the name ends as one of the image formats that are read and written."""
    return path.suffix.lower() in IMAGE_FORMATS


def is_video_name(path: Path) -> bool:
    """Whether the name ends as one of the video containers that are read and written."""
    return path.suffix.lower() in VIDEO_CODECS


def format_from_name(path: Path) -> str:
    """Return the format a file of this name is written in.

    Raises:
        ImageError: the name's ending is none of ours.
    """
    try:
        return IMAGE_FORMATS[path.suffix.lower()]
    except KeyError:
        raise ImageError(
            f"{path}: a name ending in {path.suffix or 'nothing'!r} does not say which format to "
            f"write; use one of {', '.join(IMAGE_FORMATS)}, or pass --format"
        ) from None


def format_from_bytes(data: bytes, path: Path) -> str:
    """Return the format that the first bytes show, whatever the file is called.

    Args:
        data: the whole file.
        path: its name, for the error.

    Raises:
        ImageError: empty, or none of the formats.
    """
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); copy it again from its source")
    for start, name in _STARTS.items():
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise ImageError(f"{path}: not a PNG, JPEG, WebP, TIFF or BMP image, whatever its name says")


def check_one_picture(data: bytes, path: Path) -> None:
    """Raise ImageError for an animation, a TIFF of several pages, or a TIFF of grey and alpha."""
    name = format_from_bytes(data, path)
    if name == "PNG" and "acTL" in _png_chunks_before_pixels(data):
        raise ImageError(f"{path}: an animated PNG; save its frames as separate files")
    if name == "WebP" and data[12:16] == b"VP8X" and data[20:21] and data[20] & 2:
        raise ImageError(f"{path}: an animated WebP; save its frames as separate files")
    if name == "TIFF":
        _check_tiff(data, path)


def _png_chunks_before_pixels(data: bytes) -> set[str]:
    return set(_png_chunk_names(data))


def _png_chunk_names(data: bytes) -> Iterator[str]:
    """Names of the chunks up to the first pixels; stops quietly where the file is cut off."""
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
        # OpenCV reads these as plain grey: the alpha would be lost without a word
        raise ImageError(f"{path}: a TIFF of grey and alpha, which cannot be read; save it as RGBA")
