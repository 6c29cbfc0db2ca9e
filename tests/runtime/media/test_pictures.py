"""Image files come back with the channels, bits and orientation they had."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drsformer.errors import DRSformerError, ImageError
from drsformer.runtime.media.orientation import orientation_from_exif
from drsformer.runtime.media.picture_writer import check_fits, write_image
from drsformer.runtime.media.pictures import Picture, read_image

from ...places import folder_of_everyone, without_root
from ...samples import noise

HEIGHT, WIDTH = 37, 53
LOSSLESS = (".png", ".tiff", ".bmp")
# what OpenCV writes for each kind of pixel, as numpy shape beyond height and width
KINDS = {"grey": (), "colour": (3,), "colour and alpha": (4,)}


def pixels_of(kind: str, dtype: type = np.uint8) -> NDArray[np.generic]:
    rng = np.random.default_rng(7)
    shape = (HEIGHT, WIDTH, *KINDS[kind])
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def write(path: Path, pixels: NDArray[np.generic]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def exif_with_orientation(value: int, byte_order: str = "<") -> bytes:
    """A TIFF structure whose only entry is the orientation."""
    start = b"II*\0" if byte_order == "<" else b"MM\0*"
    return start + struct.pack(byte_order + "IHHHIHHI", 8, 1, 274, 3, 1, value, 0, 0)


def write_with_exif(path: Path, pixels: NDArray[np.generic], exif: bytes) -> Path:
    blob = np.frombuffer(exif, np.uint8)
    good, data = cv2.imencodeWithMetadata(path.suffix, pixels, [cv2.IMAGE_METADATA_EXIF], [blob])
    assert good
    data.tofile(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(suffix, np.uint8) for suffix in LOSSLESS] + [(".png", np.uint16), (".tiff", np.uint16)],
)
def test_lossless_files_come_back_bit_for_bit(
    tmp_path: Path, suffix: str, dtype: type, kind: str
) -> None:
    pixels = pixels_of(kind, dtype)
    picture = read_image(write(tmp_path / f"in{suffix}", pixels))
    write_image(picture, tmp_path / f"out{suffix}")
    again = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, pixels)


def test_colours_are_read_as_rgb(tmp_path: Path) -> None:
    blue_first = np.full((4, 4, 3), (1, 2, 3), np.uint8)
    assert read_image(write(tmp_path / "a.png", blue_first)).rgb[0, 0].tolist() == [3, 2, 1]


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    picture = read_image(write(tmp_path / "a.png", pixels_of("grey")))
    assert picture.grey
    assert picture.rgb.shape == (HEIGHT, WIDTH, 3)
    assert (picture.rgb == picture.rgb[:, :, :1]).all()


def test_alpha_is_kept_bit_for_bit_by_lossy_webp(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    write_image(Picture(noise(HEIGHT, WIDTH), alpha := noise(HEIGHT, WIDTH)[:, :, 0]), path)
    np.testing.assert_array_equal(read_image(path).alpha, alpha)


def test_webp_is_lossless_at_quality_100(tmp_path: Path) -> None:
    write_image(Picture(noise(HEIGHT, WIDTH)), tmp_path / "a.webp", quality=100)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp").rgb, noise(HEIGHT, WIDTH))


def test_jpeg_quality_is_obeyed(tmp_path: Path) -> None:
    for quality in (30, 95):
        write_image(Picture(noise(HEIGHT, WIDTH)), tmp_path / f"{quality}.jpg", quality)
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_as_opencv_turns_them(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = exif_with_orientation(orientation, "<" if orientation % 2 else ">")
    path = write_with_exif(tmp_path / f"a{suffix}", pixels_of("colour"), exif)
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(read_image(path).rgb, expected)


def test_alpha_is_turned_with_the_colours(tmp_path: Path) -> None:
    pixels = pixels_of("colour and alpha", np.uint16)
    path = write_with_exif(tmp_path / "a.png", pixels, exif_with_orientation(6))
    np.testing.assert_array_equal(read_image(path).alpha, np.rot90(pixels[:, :, 3], -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_files_are_turned_upright(tmp_path: Path, dtype: type) -> None:
    pixels = pixels_of("colour and alpha", dtype)
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff_bytes(pixels, orientation=6))
    picture = read_image(path)
    np.testing.assert_array_equal(picture.rgb, np.rot90(pixels[:, :, :3], -1))
    np.testing.assert_array_equal(picture.alpha, np.rot90(pixels[:, :, 3], -1))


def test_a_turned_picture_is_not_turned_again(tmp_path: Path) -> None:
    path = write_with_exif(tmp_path / "a.png", pixels_of("colour"), exif_with_orientation(6))
    picture = read_image(path)
    write_image(picture, tmp_path / "b.png")
    again = read_image(tmp_path / "b.png")
    assert orientation_from_exif(again.exif) == 1
    np.testing.assert_array_equal(again.rgb, picture.rgb)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_colour_profile_is_kept(tmp_path: Path, suffix: str) -> None:
    profile = colour_profile(b"RGB ")
    write_image(Picture(noise(HEIGHT, WIDTH), profile=profile), tmp_path / f"a{suffix}")
    assert read_image(tmp_path / f"a{suffix}").profile == profile


def test_profile_of_another_colour_space_is_dropped(tmp_path: Path) -> None:
    picture = Picture(noise(HEIGHT, WIDTH), profile=colour_profile(b"CMYK"))
    write_image(picture, tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").profile == b""


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"garbage", exif_with_orientation(9)])
def test_unusable_exif_means_upright(exif: bytes) -> None:
    assert orientation_from_exif(exif) == 1


def test_palettes_become_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(2, 1, 8, 3, b"\0\0\1", extra=chunk(b"PLTE", b"\1\2\3\4\5\6")))
    assert read_image(path).rgb.tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(2, 1, 1, 0, b"\0\x40"))
    picture = read_image(path)
    assert picture.grey
    assert picture.rgb[0, :, 0].tolist() == [0, 255]


def test_grey_and_alpha_become_rgba(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(2, 1, 8, 4, b"\0\x0a\x14\x1e\x28"))
    picture = read_image(path)
    assert picture.rgb.tolist() == [[[10] * 3, [30] * 3]]
    assert picture.alpha.tolist() == [[20, 40]]


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    write(tmp_path / "a.png", pixels_of("colour")).rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.jpg").rgb, pixels_of("colour")[:, :, ::-1]
    )


def test_names_may_hold_spaces_and_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "дождь 雨 [1].png"
    write_image(Picture(noise(HEIGHT, WIDTH)), path)
    np.testing.assert_array_equal(read_image(path).rgb, noise(HEIGHT, WIDTH))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95, 1.0])
def test_cut_off_files_are_refused_without_a_word_of_the_decoders(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / f"a{suffix}", pixels_of("colour"))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share) - (share == 1.0)])
    with pytest.raises(ImageError, match="a damaged or cut-off|cannot decode"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"a line of text\n", "not a PNG, JPEG, WebP, TIFF or BMP"),
        (b"GIF89a" + bytes(50), "not a PNG, JPEG, WebP, TIFF or BMP"),
    ],
)
def test_files_that_are_no_images_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=rf"a\.png: .*{reason}"):
        read_image(tmp_path / "a.png")


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.png: cannot be read: No such file"):
        read_image(tmp_path / "a.png")


def test_unreadable_files_are_refused() -> None:
    with folder_of_everyone() as folder:
        write(folder / "a.png", pixels_of("colour")).chmod(0)
        with without_root(), pytest.raises(ImageError, match="cannot be read: Permission denied"):
            read_image(folder / "a.png")


def test_a_corrupted_checksum_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", pixels_of("colour"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(60_000, 60_000, 8, 2, bytes(1000)))
    with pytest.raises(ImageError, match="3600 megapixels, and the limit is 500"):
        read_image(tmp_path / "a.png")


def test_floating_point_tiff_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tiff", pixels_of("colour").astype(np.float32))
    with pytest.raises(ImageError, match="samples are float32"):
        read_image(path)


def test_several_pages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    assert cv2.imwritemulti(str(path), [pixels_of("colour")] * 2)
    with pytest.raises(ImageError, match="several pages"):
        read_image(path)


def test_tiff_of_grey_and_alpha_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff_bytes(pixels_of("colour")[:, :, :2]))
    with pytest.raises(ImageError, match="grey and alpha"):
        read_image(path)


@pytest.mark.parametrize(("suffix", "name"), [(".png", "PNG"), (".webp", "WebP")])
def test_animations_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    animation = cv2.Animation()
    animation.frames = [pixels_of("colour and alpha"), 255 - pixels_of("colour and alpha")]
    animation.durations = [100, 100]
    assert cv2.imwriteanimation(str(tmp_path / f"a{suffix}"), animation)
    with pytest.raises(ImageError, match=f"animated {name}"):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("name", "alpha", "dtype", "reason"),
    [
        ("a.jpg", True, np.uint8, "JPEG holds no transparency"),
        ("a.jpg", False, np.uint16, "JPEG holds 8 bits"),
        ("a.webp", False, np.uint16, "WebP holds 8 bits"),
        ("a.bmp", False, np.uint16, "BMP holds 8 bits"),
        ("a.gif", False, np.uint8, "does not say which format"),
        ("a", False, np.uint8, "does not say which format"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    name: str, alpha: bool, dtype: type, reason: str
) -> None:
    rgb = noise(8, 8, dtype)
    with pytest.raises(ImageError, match=reason):
        check_fits(Picture(rgb, rgb[:, :, 0] if alpha else None), Path(name))


def test_too_large_for_the_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="16384 x 1"):
        write_image(Picture(np.zeros((1, 16_384, 3), np.uint8)), tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DRSformerError, match="cannot write"):
        write_image(Picture(noise(8, 8)), tmp_path / "file" / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_bytes(
    width: int, height: int, bits: int, colour_type: int, rows: bytes, extra: bytes = b""
) -> bytes:
    """A PNG of any kind; `rows` holds a filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + pixels + chunk(b"IEND", b"")


def tiff_bytes(pixels: NDArray[np.generic], orientation: int = 1) -> bytes:
    """An uncompressed TIFF of (H, W, 2), (H, W, 3) or (H, W, 4) pixels, alpha last."""
    height, width, samples = pixels.shape
    data = pixels.tobytes()
    values = {
        256: width,
        257: height,
        258: 8 * pixels.itemsize,  # one value stands for all: more would need a place elsewhere
        259: 1,
        262: 1 if samples < 3 else 2,
        273: 8,
        274: orientation,
        277: samples,
        278: height,
        279: len(data),
        338: 2,
    }
    if samples == 3:
        del values[338]
    entries = b"".join(
        struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, v) for tag, v in values.items()
    )
    directory = struct.pack("<H", len(values)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def colour_profile(space: bytes) -> bytes:
    """An ICC profile with one tag of noise, which keeps it from being suspiciously small."""
    text = b"text" + noise(16, 16).tobytes()
    size = 144 + len(text)
    start = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, b"mntr", space, b"XYZ ")
    d50 = struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)  # libpng insists on this white
    header = (start.ljust(36, b"\0") + b"acsp".ljust(32, b"\0") + d50).ljust(128, b"\0")
    return header + struct.pack(">I4sII", 1, b"cprt", 144, len(text)) + text
