"""Derains images in overlapping tiles, in memory that does not grow with their height.

The network's attention and gates look at their whole input, so a tile's result differs from that
part of the whole image's result: compare tiled results with tiled ones.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import (
    Image,
    SomeImage,
    input_from_image,
    padded_size,
    pixels_from_image,
)

from .blending import FloatBand, PixelBand
from .bounded_map import bounded_map
from .tiling import Axis, Tiling

Network = Callable[[Any], Any]  # a Batch to a Batch, or Pixels to Pixels
OnTile = Callable[[int, int], None]  # number of tiles done, number in all


def derain_tiles(
    image: SomeImage,
    network: Network,
    tiling: Tiling,
    on_tile: OnTile | None,
    *,
    at_once: int = 1,
    pixels: bool = False,
) -> SomeImage:
    """Derain an image tile by tile.

    Each tile is padded on its own. Beside the image and the result, memory grows with the tile
    times the width; see `blending`.

    Args:
        image: uint8 or uint16 (H, W, 3), RGB; uint8 if `pixels`.
        network: float32 (1, 3, h, w) to the same, not clamped; if `pixels`, uint8 (1, h, w, 3) to
            the same.
        tiling: how to cut the image.
        on_tile: called after each tile with the number done and the number in all, or None.
        at_once: tiles that run at the same time.
        pixels: whether the network takes and gives 8-bit pixels, which are then never converted.

    Returns:
        An image of the same shape and dtype.

    Raises:
        ShapeError: the tiling cannot be laid over this image, or `pixels` and it has 16 bits.
    """
    rows, columns = tiling.axes(*padded_size(*image.shape[:2]))
    feed = pixels_from_image if pixels else input_from_image
    band = (PixelBand if pixels else FloatBand)(rows, columns)
    result = np.empty_like(image)
    done, count = 0, len(rows.starts) * len(columns.starts)
    # one map for the whole image: at the end of a row, the next row's tiles already run
    outputs = bounded_map(network, map(feed, _tiles(image, rows, columns)), at_once)
    for row, (top, bottom) in enumerate(pairwise((*rows.starts, len(rows.total)))):
        for column in range(len(columns.starts)):
            band.add(next(outputs), row, column)
            done += 1
            if on_tile:
                on_tile(done, count)
        result[top:bottom] = band.take(top, bottom, like=result[top:bottom])
    return result


def _tiles(image: Image, rows: Axis, columns: Axis) -> Iterator[Image]:
    """Yield each tile, row by row."""
    height, width, _ = image.shape
    y, x = _sources(height), _sources(width)
    for top, left in product(rows.starts, columns.starts):
        bottom, right = top + rows.side, left + columns.side
        inside = bottom <= height and right <= width
        if inside:
            yield image[top:bottom, left:right]
        else:
            yield image[np.ix_(y[top:bottom], x[left:right])]


def _sources(length: int) -> NDArray[np.intp]:
    """Return, for each pixel of a padded axis, the image's pixel it repeats; see the contract."""
    padded = padded_size(length, length)[0]
    return np.pad(np.arange(length), (0, padded - length), mode="reflect")
