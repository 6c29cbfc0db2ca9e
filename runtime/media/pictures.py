"""Reads image files into upright RGB pictures and writes them back as they were.

    PNG, JPEG, WebP, TIFF, BMP
      -> RGB, 8 or 16 bits; palettes and CMYK become RGB, 1 to 4 bits become 8
      -> alpha apart, untouched; grey remembered; turned upright as EXIF says
    Picture
      -> the same channels and bits, in the format the new name asks for

EXIF and the colour profile travel along in PNG, JPEG and WebP (with the orientation set to
upright, since the pixels are); other metadata does not, and in TIFF and BMP none does. OpenCV
writes no picture of grey and alpha: it becomes RGBA.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.contract import Image
from drsformer.errors import ImageError
from drsformer.files import written_whole

from .formats import check_one_picture, format_from_bytes, format_from_name
from .orientation import orientation_from_exif, upright, upright_exif
from .quiet import muted_stderr
from .tiff import with_untouched_colours

DEFAULT_QUALITY = 95
_LOSSLESS = 100  # the --quality from which WebP is lossless

_EXIF = int(cv2.IMAGE_METADATA_EXIF)
_PROFILE = int(cv2.IMAGE_METADATA_ICCP)
_PROFILE_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"RGB "}  # channels -> what the profile must be for
_WITH_ALPHA = ("PNG", "WebP", "TIFF", "BMP")
_WITH_16_BITS = ("PNG", "TIFF")


@dataclass(frozen=True)
class Picture:
    """One upright picture and what its file must get back.

    Attributes:
        rgb: uint8 or uint16 (H, W, 3), RGB; three equal channels where `grey`.
        alpha: (H, W) of the same dtype, or None.
        grey: the file has one channel of colour.
        exif: a TIFF structure whose orientation is upright, or nothing.
        profile: an ICC colour profile, or nothing.
    """

    rgb: Image
    alpha: Image | None = None
    grey: bool = False
    exif: bytes = b""
    profile: bytes = b""

    def with_rgb(self, rgb: Image) -> "Picture":
        """Return the picture with other colours and everything else kept."""
        return replace(self, rgb=rgb)


def read_image(path: Path) -> Picture:
    """Read one still image.

    Args:
        path: a PNG, JPEG, WebP, TIFF or BMP file; told apart by content.

    Raises:
        ImageError: missing, unreadable, empty, cut off or not an image; animated or of several
            pages; samples that are not integers of up to 16 bits.
    """
    data = _bytes_from_file(path)
    format_name = format_from_bytes(data, path)
    check_one_picture(data, path)
    if format_name == "TIFF":
        data = with_untouched_colours(data)
    pixels, exif, profile = _decode(data, path, format_name)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{path}: its samples are {pixels.dtype}; expected integers of 8 or 16 bits, save it so"
        )
    # OpenCV turns TIFF by itself, the other formats never
    turned = upright(pixels, orientation_from_exif(exif))
    return replace(_picture_from_pixels(turned), exif=upright_exif(exif), profile=profile)


def write_image(picture: Picture, path: Path, quality: int = DEFAULT_QUALITY) -> None:
    """Write a picture in the format its new name asks for; it appears whole or not at all.

    Args:
        picture: what to write.
        path: the new file; an existing one is replaced.
        quality: of JPEG and WebP, 1 to 100; WebP is lossless at 100.

    Raises:
        ImageError: the format cannot hold the picture.
        DRSformerError: the place cannot be written, or the disk is full.
    """
    data = encoded(picture, path, quality)
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def check_fits(picture: Picture, path: Path) -> None:
    """Raise ImageError where the format that `path` asks for would lose alpha or bits."""
    format_name = format_from_name(path)
    if picture.alpha is not None and format_name not in _WITH_ALPHA:
        raise ImageError(f"{path}: {format_name} holds no transparency; pass --format png")
    if picture.rgb.dtype == np.uint16 and format_name not in _WITH_16_BITS:
        raise ImageError(
            f"{path}: {format_name} holds 8 bits and the image has 16; pass --format png"
        )


def encoded(picture: Picture, path: Path, quality: int = DEFAULT_QUALITY) -> bytes:
    """Return the bytes of the file that `write_image` would write."""
    check_fits(picture, path)
    pixels = _pixels_from_picture(picture)
    kinds, blobs = _metadata_for(picture, 1 if pixels.ndim == 2 else pixels.shape[2])
    settings = _settings(format_from_name(path), quality)
    try:
        with muted_stderr():
            good, data = cv2.imencodeWithMetadata(path.suffix, pixels, kinds, blobs, settings)
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot encode it ({error.err})") from error
    if not good:
        height, width = pixels.shape[:2]
        raise ImageError(f"{path}: {width} x {height} pixels are more than this format holds")
    return data.tobytes()


def _bytes_from_file(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe could wait for ever
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
    return pixels, found.get(_EXIF, b""), found.get(_PROFILE, b"")


def _picture_from_pixels(pixels: NDArray[Any]) -> Picture:
    """Split (H, W), (H, W, 3) BGR or (H, W, 4) BGRA."""
    if pixels.ndim == 2:
        return Picture(np.repeat(pixels[:, :, None], 3, axis=2), grey=True)
    rgb = np.ascontiguousarray(pixels[:, :, 2::-1])
    alpha = np.ascontiguousarray(pixels[:, :, 3]) if pixels.shape[2] == 4 else None
    return Picture(rgb, alpha)


def _pixels_from_picture(picture: Picture) -> NDArray[Any]:
    """Join what `_picture_from_pixels` split; grey is the luma of what the network made of it."""
    if picture.grey:
        return cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY)
    bgr = picture.rgb[:, :, ::-1]
    return np.ascontiguousarray(bgr) if picture.alpha is None else np.dstack([bgr, picture.alpha])


def _metadata_for(picture: Picture, channels: int) -> tuple[list[int], list[NDArray[np.uint8]]]:
    """Return kinds and contents of what is stored beside the pixels."""
    metadata = {_EXIF: picture.exif}
    # a CMYK profile on pixels that are now RGB would show wrong colours
    if picture.profile[16:20] == _PROFILE_SPACES[channels]:
        metadata[_PROFILE] = picture.profile
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
