"""Width and height are read from headers, and what is too large is refused before it is decoded."""

from __future__ import annotations

import struct
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

from drsformer.errors import ImageError
from drsformer.runtime.media import dimensions
from drsformer.runtime.media.dimensions import check_megapixels, dimensions_from_bytes
from drsformer.runtime.media.formats import format_from_bytes
from drsformer.runtime.media.pictures import read_image

from ...samples import noise
from .test_pictures import png_bytes, tiff_bytes, write


def dimensions_of(data: bytes) -> tuple[int, int] | None:
    return dimensions_from_bytes(data, format_from_bytes(data, Path("a")))


@pytest.mark.parametrize(
    ("ending", "settings"),
    [
        (".png", []),
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
        (".tiff", []),
        (".bmp", []),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(30, 50), (300, 257)])
def test_the_header_says_what_the_decoder_finds(
    ending: str, settings: list[int], channels: int, size: tuple[int, int]
) -> None:
    pixels = np.dstack([noise(*size), noise(*size)])[:, :, :channels]
    _, data = cv2.imencode(ending, np.ascontiguousarray(pixels), settings)
    height, width = size
    assert dimensions_of(data.tobytes()) == (width, height)


def test_what_stands_before_a_jpegs_frame_is_passed_over() -> None:
    _, data = cv2.imencode(".jpg", noise(20, 30))
    application = b"\xff\xe1" + struct.pack(">H", 6) + b"\xff\xc0\0\0"  # holds what looks like one
    jpeg = data.tobytes()
    assert dimensions_of(jpeg[:2] + application + b"\xff" + jpeg[2:]) == (30, 20)


def test_tiff_may_say_16_or_32_bits() -> None:
    assert dimensions_of(tiff_bytes(noise(20, 30))) == (30, 20)
    data = bytearray(tiff_bytes(noise(20, 30)))
    at = data.index(struct.pack("<HHII", 256, 3, 1, 30))
    struct.pack_into("<HHII", data, at, 256, 4, 1, 70_000)
    assert dimensions_of(bytes(data)) == (70_000, 20)


def test_bmp_may_be_old_or_upside_down() -> None:
    start = b"BM" + bytes(12)
    assert dimensions_of(start + struct.pack("<IHHHH", 12, 30, 20, 1, 24)) == (30, 20)
    assert dimensions_of(start + struct.pack("<Iii", 40, 30, -20)) == (30, 20)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tiff", ".bmp"])
def test_a_header_cut_off_anywhere_is_no_error(ending: str) -> None:
    data = cv2.imencode(ending, noise(20, 30))[1].tobytes()
    for length in range(12, 200):
        assert dimensions_of(data[:length]) in (None, (30, 20))


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(30_000, 30_000, 8, 2, bytes(1000)))
    with (
        mock.patch.object(cv2, "imdecodeWithMetadata", side_effect=AssertionError),
        pytest.raises(ImageError, match=r"30000 x 30000 pixels are 900 .* is 500; .*-megapixels"),
    ):
        read_image(tmp_path / "a.png")


def test_the_limit_can_be_moved(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", noise(20, 30))
    assert read_image(path, 0.0006).rgb.shape == (20, 30, 3)
    with pytest.raises(ImageError, match="the limit is 0.0005"):
        read_image(path, 0.0005)


def test_what_opencv_does_not_decode_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(dimensions.OPENCV_VARIABLE, raising=False)
    (tmp_path / "a.png").write_bytes(png_bytes(40_000, 40_000, 8, 2, bytes(1000)))
    with pytest.raises(ImageError, match="more than the 1074 megapixels that OpenCV decodes"):
        read_image(tmp_path / "a.png", 2000)


def test_the_limit_itself_is_no_refusal() -> None:
    check_megapixels(25_000, 20_000, Path("a"), 500)
