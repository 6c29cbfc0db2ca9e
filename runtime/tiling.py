"""Where the tiles of an image lie, and what each of their pixels weighs.

    uniform   the authors' rule: tiles are square, no larger than the image's shorter side, and
              averaged where they overlap
    feather   our rule: tiles are cut to the image along each axis, and weigh less and less towards
              their edges, so that no seams remain; an image that fits into one tile gives the same
              result as without tiling

Weights are whole numbers, so that levels can be blended without a rounding on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import CONTRACT
from drsformer.errors import ShapeError

Blend = Literal["uniform", "feather"]
Weights = NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """Where the tiles lie along one axis of the padded image, and what each pixel weighs.

    Attributes:
        side: of each tile, pixels.
        starts: first pixel of each tile, ascending; the last tile ends with the image.
        windows: for each tile (side,), the weight of its pixels, at least 1; 1 where no other tile
            lies, so that its result is used there as it is.
        total: (length,), the sum of all tiles' weights at each pixel.
    """

    side: int
    starts: tuple[int, ...]
    windows: tuple[Weights, ...]
    total: Weights


@dataclass(frozen=True)
class Tiling:
    """How to cut images.

    Attributes:
        tile: longest side of a tile, pixels; a multiple of 8.
        overlap: pixels that neighbouring tiles share at least; 0 <= overlap < tile.
        blend: how the results of overlapping tiles are joined.
        exact: height and width of every tile, for a model that takes no others; no image that is
            cut is smaller. None where tiles may be smaller than `tile`.
    """

    tile: int
    overlap: int = 32
    blend: Blend = "uniform"
    exact: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Raise ShapeError for settings that fit no image."""
        multiple = CONTRACT.multiple_of
        if self.tile < multiple or self.tile % multiple:
            raise ShapeError(
                f"tile is {self.tile} pixels; expected a positive multiple of {multiple}"
            )
        if not 0 <= self.overlap < self.tile:
            raise ShapeError(
                f"overlap is {self.overlap} pixels; expected 0 to {self.tile - 1}, below the tile"
            )
        if self.blend not in get_args(Blend):
            raise ShapeError(f"blend is {self.blend!r}; expected {' or '.join(get_args(Blend))}")

    def axes(self, height: int, width: int) -> tuple[Axis, Axis]:
        """Lay tiles over a padded image; return its axes of height and of width, in pixels.

        Raises:
            ShapeError: uniform tiles, cut to the shorter side, would not exceed the overlap.
        """
        if self.exact is not None:
            return self._axis(height, self.exact[0]), self._axis(width, self.exact[1])
        if self.blend == "feather":
            return self._axis(height, min(self.tile, height)), self._axis(
                width, min(self.tile, width)
            )
        side = min(self.tile, height, width)
        if side <= self.overlap and height != width:
            raise ShapeError(
                f"an image, padded to {height}x{width}, leaves square tiles of {side} pixels, not "
                f"more than the overlap of {self.overlap}; lower --overlap below {side}, or use "
                "--blend feather, whose tiles need not be square"
            )
        return self._axis(height, side), self._axis(width, side)

    def _axis(self, length: int, side: int) -> Axis:
        starts = (0,)
        if side < length:
            starts = (*range(0, length - side, side - self.overlap), length - side)
        window = _ramps(side, self.overlap if self.blend == "feather" else 0)
        covered = _summed(length, starts, [np.ones(side, np.int64)] * len(starts))
        kept: dict[bytes, Weights] = {}  # most tiles have the same weights
        windows = []
        for start in starts:
            made = np.where(covered[start : start + side] == 1, 1, window)
            windows.append(kept.setdefault(made.tobytes(), made))
        return Axis(side, starts, tuple(windows), _summed(length, starts, windows))


def _summed(length: int, starts: Sequence[int], windows: Sequence[Weights]) -> Weights:
    """Return the sum of the windows, each at its start, along an axis of this length."""
    total = np.zeros(length, np.int64)
    for start, window in zip(starts, windows, strict=True):
        total[start : start + len(window)] += window
    return total


def _ramps(side: int, overlap: int) -> Weights:
    """Return weights that rise from 1 by 1 over `overlap` pixels, stay, and fall again; (side,).

    Linear, since two linear ramps already add up to the full weight where exactly two tiles meet.
    """
    from_edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    ramps: Weights = np.minimum(from_edge, overlap + 1)
    return ramps
