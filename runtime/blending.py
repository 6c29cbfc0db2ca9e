"""Joins the results of overlapping tiles: the mean by weight, at each value.

Both classes sum a row of tiles in one band as wide as the image. The part of it that no later row
touches is taken out, and the band moves down.

    FloatBand   values of a float network; they are rounded to levels after the mean
    PixelBand   levels of a network that gives 8-bit pixels. The sums are whole numbers and the
                quotient is rounded half to even, so there is one right result, in any language
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import CHANNELS, Batch, Pixels, SomeImage, image_from_output

from .tiling import Axis

LARGEST_LEVEL = 255


class FloatBand:
    """Sums of float32 (1, 3, h, w) outputs, not clamped."""

    def __init__(self, rows: Axis, columns: Axis) -> None:
        """Take the axes of the padded image."""
        self._rows, self._columns = rows, columns
        self._sums = np.zeros((CHANNELS, rows.side, len(columns.total)), np.float32)

    def add(self, output: Batch, row: int, column: int) -> None:
        """Add a tile, by the numbers of its row and its column."""
        left = self._columns.starts[column]
        window = np.outer(self._rows.windows[row], self._columns.windows[column])
        self._sums[:, :, left : left + self._columns.side] += output[0] * window.astype(np.float32)

    def take(self, top: int, bottom: int, like: SomeImage) -> SomeImage:
        """Return the rows from `top` to `bottom`, which are finished, as levels.

        Args:
            top: the first row of the band.
            bottom: the row after the last one wanted.
            like: these rows of the image; gives height, width and dtype.
        """
        count = bottom - top
        totals = np.outer(self._rows.total[top:bottom], self._columns.total)
        mean: Batch = np.divide(self._sums[:, :count], totals.astype(np.float32), dtype=np.float32)
        self._sums[:, :-count] = self._sums[:, count:]
        self._sums[:, -count:] = 0
        return image_from_output(mean[None], like=like)


class PixelBand:
    """Sums of uint8 (1, h, w, 3) outputs."""

    def __init__(self, rows: Axis, columns: Axis) -> None:
        """Take the axes of the padded image."""
        self._rows, self._columns = rows, columns
        largest = LARGEST_LEVEL * int(rows.total.max()) * int(columns.total.max())
        dtype = np.min_scalar_type(largest)  # a small type is faster; one that overflows is wrong
        self._sums = np.zeros((rows.side, len(columns.total), CHANNELS), dtype)

    def add(self, output: Pixels, row: int, column: int) -> None:
        """Add a tile, by the numbers of its row and its column."""
        left = self._columns.starts[column]
        down, across = self._rows.windows[row], self._columns.windows[column]
        weighted = output[0]
        if down.max() > 1 or across.max() > 1:
            weighted = weighted * np.outer(down, across).astype(self._sums.dtype)[..., None]
        self._sums[:, left : left + self._columns.side] += weighted

    def take(self, top: int, bottom: int, like: SomeImage) -> SomeImage:
        """Return the rows from `top` to `bottom`; see `FloatBand.take`."""
        height, width, _ = like.shape
        rows, columns = self._rows.total[top : top + height], self._columns.total[:width]
        sums = self._sums[:height, :width]
        # right where only one tile lies; the rest follows
        levels = cast(SomeImage, sums.astype(like.dtype))
        several_rows, several_columns = rows > 1, columns > 1
        levels[several_rows] = _quotients(sums[several_rows], rows[several_rows], columns)
        levels[:, several_columns] = _quotients(
            sums[:, several_columns], rows, columns[several_columns]
        )
        count = bottom - top
        self._sums[:-count] = self._sums[count:]
        self._sums[-count:] = 0
        return levels


def _quotients(
    sums: NDArray[np.unsignedinteger], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return sums / totals, rounded half to even, exactly.

    A quotient of whole numbers is a half, or at least 1 / (2 * total) away from one. float64 keeps
    that apart for all totals below 2**44.
    """
    return np.rint(sums / np.outer(rows, columns)[..., None])
