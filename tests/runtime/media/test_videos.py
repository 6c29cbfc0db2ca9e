"""Videos keep their size, rate and number of frames, and appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drsformer.errors import DRSformerError, ImageError
from drsformer.metrics import psnr
from drsformer.runtime.media.formats import VIDEO_CODECS
from drsformer.runtime.media.video_writer import written_video
from drsformer.runtime.media.videos import VideoReader

from ...places import small_disk
from ...samples import noise

FRAMES, HEIGHT, WIDTH = 9, 48, 64


def film(count: int = FRAMES) -> list[NDArray[np.uint8]]:
    """A soft pattern that moves, as a codec likes it."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    waves = [np.sin((columns + 2 * i) / 9) + np.cos(rows / 7) for i in range(count)]
    return [np.stack([60 + 25 * w, 128 + 20 * w, 200 - 15 * w], -1).astype(np.uint8) for w in waves]


def write_film(path: Path, frames: list[NDArray[np.uint8]], fps: float = 25.0) -> Path:
    height, width, _ = frames[0].shape
    with written_video(path, fps=fps, height=height, width=width) as write:
        for frame in frames:
            write(frame)
    return path


def read_film(path: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return list(reader.frames())


@pytest.mark.parametrize("suffix", VIDEO_CODECS)
def test_every_format_keeps_size_rate_and_frames(tmp_path: Path, suffix: str) -> None:
    path = write_film(tmp_path / f"a{suffix}", film(), fps=30000 / 1001)
    with VideoReader(path) as reader:
        assert (reader.height, reader.width, reader.frame_count) == (HEIGHT, WIDTH, FRAMES)
        assert reader.fps == pytest.approx(30000 / 1001, rel=1e-5)  # OpenCV rounds to 1/1000
        frames = list(reader.frames())
    # 30 dB: a swapped channel order or a shifted frame is far below, every codec far above
    assert [psnr(a, b) > 30 for a, b in zip(frames, film(), strict=True)] == [True] * FRAMES


def test_mkv_is_lossless(tmp_path: Path) -> None:
    frames = [noise(HEIGHT, WIDTH), 255 - noise(HEIGHT, WIDTH)]
    np.testing.assert_array_equal(read_film(write_film(tmp_path / "a.mkv", frames)), frames)


@pytest.mark.parametrize("suffix", VIDEO_CODECS)
@pytest.mark.parametrize(("height", "width"), [(37, 64), (48, 53)])
def test_odd_sizes_are_refused_and_not_cut(
    tmp_path: Path, suffix: str, height: int, width: int
) -> None:
    with pytest.raises(ImageError, match=f"{width} x {height} pixels; .* even sizes only"):
        write_film(tmp_path / f"a{suffix}", [frame[:height, :width] for frame in film()])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", VIDEO_CODECS)
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_cut_off_videos_are_refused_without_a_word_of_the_decoders(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_film(tmp_path / f"a{suffix}", [noise(HEIGHT, WIDTH)] * 30)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match="cut-off|cut off"):
        read_film(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda path: path.write_bytes(b""), r"empty \(0 bytes\)"),
        (lambda path: path.write_text("a line of text\n"), "not a video that can be decoded"),
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "not a regular file; expected a video"),
        (os.mkfifo, "not a regular file; expected a video"),
    ],
)
def test_files_that_are_no_videos_are_refused(
    tmp_path: Path, prepare: Callable[[Path], object], reason: str
) -> None:
    prepare(tmp_path / "a.mp4")
    with pytest.raises(ImageError, match=rf"a\.mp4: .*{reason}"):
        VideoReader(tmp_path / "a.mp4")


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with (
        pytest.raises(KeyboardInterrupt),
        written_video(path, fps=25, height=HEIGHT, width=WIDTH) as write,
    ):
        write(film()[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    with small_disk(tmp_path / "disk", kibibytes=64) as disk:
        with pytest.raises(DRSformerError, match="cannot write .*(full|No space)"):
            write_film(disk / f"a{suffix}", [noise(240, 320)] * 20)
        assert list(disk.iterdir()) == []
