"""Derains images in overlapping tiles, in memory that does not grow with their height.

The network's attention and gates look at their whole input, so a tile's result differs from that
part of the whole image's result: compare tiled results with tiled ones.

    uniform   the authors' rule: tiles are square, no larger than the image's shorter side, and
              averaged where they overlap
    feather   our rule: tiles are cut to the image along each axis, and weigh less and less towards
              their edges, so that no seams remain; an image that fits into one tile gives the same
              result as without tiling
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import (
    CHANNELS,
    CONTRACT,
    Batch,
    Image,
    Pixels,
    SomeImage,
    image_from_output,
    input_from_image,
    padded_size,
)
from drsformer.errors import ShapeError

from .bounded_map import bounded_map

Blend = Literal["uniform", "feather"]
Network = Callable[[Any], Batch]  # takes what `feed` gives
Feed = Callable[[Image], Batch | Pixels]
OnTile = Callable[[int, int], None]  # number of tiles done, number in all


@dataclass(frozen=True)
class Axis:
    """Where the tiles lie along one axis of the padded image, and what each pixel weighs.

    Attributes:
        starts: first pixel of each tile, ascending; the last tile ends with the image.
        window: float32 (side,), the weight of a tile's pixels, in (0, 1].
        total: float32 (length,), the sum of all tiles' weights at each pixel, above 0.
    """

    starts: tuple[int, ...]
    window: NDArray[np.float32]
    total: NDArray[np.float32]


@dataclass(frozen=True)
class Tiling:
    """How to cut images.

    Attributes:
        tile: longest side of a tile, pixels; a multiple of 8.
        overlap: pixels that neighbouring tiles share at least; 0 <= overlap < tile.
        blend: how the results of overlapping tiles are joined.
    """

    tile: int
    overlap: int = 32
    blend: Blend = "uniform"

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
        window = np.ones(side, np.float32)
        if self.blend == "feather" and len(starts) > 1:
            window = _ramps(side, self.overlap)
        total = np.zeros(length, np.float32)
        for start in starts:
            total[start : start + side] += window
        return Axis(starts, window, total)


def _ramps(side: int, overlap: int) -> NDArray[np.float32]:
    """Return weights rising over `overlap` pixels to 1 and falling again; float32 (side,), > 0.

    Linear, since two linear ramps already add up to 1 where exactly two tiles meet.
    """
    from_edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    return np.minimum(from_edge / np.float32(overlap + 1), 1).astype(np.float32)


def derain_tiles(
    image: SomeImage,
    network: Network,
    tiling: Tiling,
    on_tile: OnTile | None,
    *,
    at_once: int = 1,
    feed: Feed = input_from_image,
) -> SomeImage:
    """Derain an image tile by tile.

    A row of tiles is summed in one band as wide as the image. The part that no later row touches
    is finished at once, and the band moves down; each tile is padded and scaled on its own. So
    beside the image and the result, memory grows with the tile times the width.

    Args:
        image: uint8 or uint16 (H, W, 3), RGB.
        network: what `feed` gives of a tile to float32 (1, 3, h, w), not clamped.
        tiling: how to cut the image.
        on_tile: called after each tile with the number done and the number in all, or None.
        at_once: tiles that run at the same time.
        feed: makes a tile, uint8 or uint16 (h, w, 3), the network's input.

    Returns:
        An image of the same shape and dtype.

    Raises:
        ShapeError: the tiling cannot be laid over this image.
    """
    rows, columns = tiling.axes(*padded_size(*image.shape[:2]))
    window = np.outer(rows.window, columns.window)
    band = np.zeros((CHANNELS, len(window), len(columns.total)), np.float32)
    result = np.empty_like(image)
    done, count = 0, len(rows.starts) * len(columns.starts)
    # one map for the whole image: at the end of a row, the next row's tiles already run
    outputs = bounded_map(network, map(feed, _tiles(image, rows, columns)), at_once)
    for top, next_top in pairwise((*rows.starts, len(rows.total))):
        for left in columns.starts:
            band[:, :, left : left + len(columns.window)] += next(outputs)[0] * window
            done += 1
            if on_tile:
                on_tile(done, count)
        finished = next_top - top
        mean = band[:, :finished] / np.outer(rows.total[top:next_top], columns.total)
        result[top:next_top] = image_from_output(mean[None], like=result[top:next_top])
        band[:, :-finished] = band[:, finished:]
        band[:, -finished:] = 0
    return result


def _tiles(image: Image, rows: Axis, columns: Axis) -> Iterator[Image]:
    """Yield each tile, row by row."""
    y, x = _sources(image.shape[0]), _sources(image.shape[1])
    for top, left in product(rows.starts, columns.starts):
        bottom, right = top + len(rows.window), left + len(columns.window)
        yield image[np.ix_(y[top:bottom], x[left:right])]


def _sources(length: int) -> NDArray[np.intp]:
    """Return, for each pixel of a padded axis, the image's pixel it repeats; see the contract."""
    padded = padded_size(length, length)[0]
    return np.pad(np.arange(length), (0, padded - length), mode="reflect")
