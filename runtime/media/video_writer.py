"""Writes a video that appears whole or not at all.

The name's ending chooses among the codecs that OpenCV's wheels hold; H.264 is not among them:

    .mp4 .m4v .mov   MPEG-4 part 2, lossy, plays nearly everywhere
    .avi             Motion JPEG, lossy
    .mkv             FFV1, lossless and large
    .webm            VP9, lossy

OpenCV's own Motion JPEG encoder would take odd sizes, but it rounds the frame rate to whole
numbers, so FFmpeg's is used.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from drsformer.contract import Image
from drsformer.errors import ImageError
from drsformer.files import written_whole

from .formats import VIDEO_CODECS
from .muted_stderr import muted_stderr


@contextmanager
def written_video(
    path: Path, *, fps: float, height: int, width: int
) -> Iterator[Callable[[Image], None]]:
    """Give a function that appends a uint8 frame to a new video.

    Args:
        path: the new file; its ending chooses the codec.
        fps: frames per second.
        height: height of every frame, pixels; an even number.
        width: width of every frame, pixels; an even number.

    Raises:
        ImageError: there is no codec for the ending or the size, or a frame was not encoded.
        DRSformerError: the place cannot be written, or the disk is full.
    """
    codec = _codec_from_name(path)
    _check_size(path, height, width)
    with written_whole(path) as temporary:
        encoder = _open_encoder(temporary, codec, fps, (width, height))
        count = 0

        def write(frame: Image) -> None:
            nonlocal count
            _encode(encoder, frame, path)
            count += 1

        try:
            yield write
        finally:
            with muted_stderr():
                encoder.release()
        _check_frames(temporary, count, path)


def _codec_from_name(path: Path) -> str:
    try:
        return VIDEO_CODECS[path.suffix.lower()]
    except KeyError:
        raise ImageError(
            f"{path}: no video is written under a name ending in {path.suffix!r}; "
            f"use one of {', '.join(VIDEO_CODECS)}"
        ) from None


def _check_size(path: Path, height: int, width: int) -> None:
    """Refuse odd sizes: OpenCV would cut off the last row or column silently."""
    if height % 2 or width % 2:
        raise ImageError(
            f"{path}: frames of {width} x {height} pixels; OpenCV encodes even sizes only, "
            "crop the video by a pixel first"
        )


def _open_encoder(path: Path, codec: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """Open OpenCV's encoder; `size` is width, height."""
    fourcc = cv2.VideoWriter.fourcc(*codec)
    with muted_stderr():
        encoder = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, size)
    if not encoder.isOpened():
        raise ImageError(
            f"a {path.suffix} video of {fps:g} frames per second: this OpenCV cannot encode it "
            f"as {codec}; pass another --format"
        )
    return encoder


def _encode(encoder: cv2.VideoWriter, frame: Image, path: Path) -> None:
    try:
        with muted_stderr():
            encoder.write(np.ascontiguousarray(frame[:, :, ::-1]))
    except cv2.error as error:
        raise ImageError(f"{path}: OpenCV cannot encode a frame ({error.err})") from error


def _check_frames(temporary: Path, count: int, path: Path) -> None:
    """Count the frames that can be read back: OpenCV does not report one that was not written."""
    with muted_stderr():
        capture = cv2.VideoCapture(str(temporary), cv2.CAP_FFMPEG)
        found = 0
        while capture.grab():
            found += 1
        capture.release()
    if found != count:
        raise ImageError(
            f"cannot write {path}: {found} of {count} frames arrived, the disk is probably full; "
            "nothing was left behind"
        )
