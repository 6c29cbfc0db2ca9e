"""Reads videos frame by frame, in bounded memory; sound is not read.

Frames are 8-bit RGB, turned upright. A variable frame rate is reported as its average.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from drsformer.contract import Image
from drsformer.errors import ImageError

from .muted_stderr import muted_stderr

# The last frame's end may differ from the announced duration by rounding, never by two frames.
_SLACK_FRAMES = 1.5


class VideoReader:
    """An opened video; a context manager that yields its frames once.

    Attributes:
        path: the file.
        fps: frames per second, the average where it varies.
        frame_count: number of frames that the file announces; 0 where it announces none.
        height: height of the upright frames, pixels.
        width: width of the upright frames, pixels.
    """

    def __init__(self, path: Path) -> None:
        """Open a video.

        Raises:
            ImageError: the file is missing or unreadable, or holds no video.
        """
        _check_readable(path)
        self.path = path
        with muted_stderr():
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self.fps = self._number(cv2.CAP_PROP_FPS)
        self.frame_count = int(self._number(cv2.CAP_PROP_FRAME_COUNT))
        self.height = int(self._number(cv2.CAP_PROP_FRAME_HEIGHT))
        self.width = int(self._number(cv2.CAP_PROP_FRAME_WIDTH))
        if not self._capture.isOpened() or not self.fps:
            raise ImageError(
                f"{path}: not a video that can be decoded, or a cut-off one; copy it again"
            )

    def frames(self) -> Iterator[Image]:
        """Yield uint8 (H, W, 3) RGB frames.

        Raises:
            ImageError: after the last frame, if there were fewer than the file announces.
        """
        count, last_s = 0, 0.0
        while (frame := self._next_frame()) is not None:
            count, last_s = count + 1, self._number(cv2.CAP_PROP_POS_MSEC) / 1000
            yield frame
        # Both count and duration must be short: an .mkv estimates its count, and a still end has no
        # duration.
        expected_s = (self.frame_count - _SLACK_FRAMES) / self.fps
        if count == 0 or (count < self.frame_count and last_s < expected_s):
            raise ImageError(
                f"{self.path}: cut off or damaged: {count} of {self.frame_count} frames could be "
                "decoded; copy it again from its source"
            )

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with muted_stderr():
            self._capture.release()

    def _number(self, key: int) -> float:
        """Return a property; 0 where the file has none (OpenCV reports negative, NaN or 0)."""
        value = self._capture.get(key)
        return value if math.isfinite(value) and value > 0 else 0.0

    def _next_frame(self) -> Image | None:
        with muted_stderr():
            good, frame = self._capture.read()
        return np.ascontiguousarray(frame[:, :, ::-1], np.uint8) if good else None


def _check_readable(path: Path) -> None:
    """Raise ImageError for a missing or empty file: OpenCV would only report that it failed."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe could wait for ever
            raise ImageError(f"{path}: not a regular file; expected a video")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    if empty:
        raise ImageError(f"{path}: the file is empty (0 bytes); copy it again from its source")
