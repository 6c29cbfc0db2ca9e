"""Tiling: where tiles go, what they weigh, and what it costs."""

from __future__ import annotations

import threading
import tracemalloc
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from drsformer.contract import Batch, Pixels, image_from_output, input_from_image
from drsformer.errors import ShapeError
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Blend, Tiling

from ..samples import noise

BLENDS: tuple[Blend, ...] = ("uniform", "feather")


def same(batch: Batch) -> Batch:
    return batch


def global_gain(batch: Batch) -> Batch:
    """Depend on the whole input, as attention does."""
    return batch * (0.5 + batch.mean(dtype=np.float32))


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (64, (0,)),
        (72, (0, 8)),
        (96, (0, 32)),  # the last regular tile would start where the final one does: only once
        (104, (0, 32, 40)),
        (200, (0, 32, 64, 96, 128, 136)),
    ],
)
def test_starts_are_the_authors(length: int, starts: tuple[int, ...]) -> None:
    rows, _ = Tiling(64, 32).axes(length, length)
    assert rows.starts == starts


def test_uniform_tiles_are_cut_to_the_shorter_side() -> None:
    rows, columns = Tiling(64, 32).axes(40, 56)
    assert (rows.side, rows.starts) == (40, (0,))
    assert (columns.side, columns.starts) == (40, (0, 8, 16))


def test_feathered_tiles_are_cut_along_each_axis() -> None:
    rows, columns = Tiling(64, 32, "feather").axes(40, 96)
    assert (rows.side, rows.starts) == (40, (0,))
    assert (columns.side, columns.starts) == (64, (0, 32))


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("overlap", [0, 1, 8, 31, 32, 63])
@pytest.mark.parametrize("length", [64, 72, 128, 200, 1000])
def test_every_pixel_has_a_positive_weight(length: int, overlap: int, blend: Blend) -> None:
    rows, _ = Tiling(64, overlap, blend).axes(length, length)
    assert all(w.min() >= 1 and w.max() <= overlap + 1 for w in rows.windows)
    assert rows.total.shape == (length,) and rows.total.min() > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("size", [(37, 53), (53, 37), (130, 90), (1, 9), (300, 24)])
def test_a_network_that_changes_nothing_returns_the_image(
    size: tuple[int, int], blend: Blend, dtype: type
) -> None:
    image = noise(*size, dtype)
    tiling = Tiling(32, 7, blend)
    np.testing.assert_array_equal(derain_tiles(image, same, tiling, None), image, strict=True)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("size", [(37, 53), (53, 37), (130, 90), (1, 9), (300, 24)])
def test_pixels_that_nothing_changes_return_the_image(size: tuple[int, int], blend: Blend) -> None:
    image = noise(*size)
    found = derain_tiles(image, same, Tiling(32, 7, blend), None, pixels=True)
    np.testing.assert_array_equal(found, image, strict=True)


@pytest.mark.parametrize(
    ("tile", "overlap", "blend"),
    [
        (16, 8, "uniform"), (16, 15, "uniform"), (16, 8, "feather"), (24, 23, "feather"),
        (48, 47, "feather"),  # the sums do not fit 16 bits
    ],
)  # fmt: skip
def test_levels_are_blended_by_whole_numbers_and_rounded_half_to_even(
    tile: int, overlap: int, blend: Blend
) -> None:
    image, tiling = np.zeros((53, 61, 3), np.uint8), Tiling(tile, overlap, blend)
    rows, columns = tiling.axes(56, 64)
    rng = np.random.default_rng(0)
    made: list[Pixels] = []

    def random_levels(pixels: Pixels) -> Pixels:
        made.append(rng.integers(0, 256, pixels.shape, np.uint8))
        return made[-1]

    found = derain_tiles(image, random_levels, tiling, None, pixels=True)
    sums, totals = np.zeros((56, 64, 3), object), np.zeros((56, 64, 1), object)
    windows = (np.outer(*pair) for pair in product(rows.windows, columns.windows))
    places = product(rows.starts, columns.starts)
    for (top, left), weights, levels in zip(places, windows, made, strict=True):
        window = weights[..., None].astype(object)
        at = np.s_[top : top + rows.side, left : left + columns.side]
        sums[at] += levels[0].astype(object) * window
        totals[at] += window
    expected = np.vectorize(lambda s, t: round(Fraction(int(s), int(t))))(sums, totals)
    ties = np.vectorize(lambda s, t: 2 * s % (2 * t) == t)(sums, totals)
    assert ties.any() or blend == "feather"  # where totals are odd, there is none
    np.testing.assert_array_equal(found, expected[:53, :61])


@pytest.mark.parametrize(
    ("size", "blend"), [((60, 64), "uniform"), ((60, 64), "feather"), ((21, 50), "feather")]
)
@pytest.mark.parametrize("tile", [64, 512])
def test_an_image_within_one_tile_is_as_without_tiling(
    size: tuple[int, int], blend: Blend, tile: int
) -> None:
    image = noise(*size)
    whole = image_from_output(global_gain(input_from_image(image)), like=image)
    found = derain_tiles(image, global_gain, Tiling(tile, 32, blend), None)
    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize(("blend", "largest_step"), [("uniform", 32768), ("feather", 1986)])
def test_only_feathering_hides_seams(blend: Blend, largest_step: int) -> None:
    # Two tiles, one all 0 and one all 1. The mean jumps by half the range; a linear ramp over
    # 32 pixels has 33 steps of 65535 / 33 levels.
    values = iter((0.0, 1.0))

    def constant(batch: Batch) -> Batch:
        return np.full_like(batch, next(values))

    image = np.zeros((64, 96, 3), np.uint16)
    found = derain_tiles(image, constant, Tiling(64, 32, blend), None).astype(int)
    assert np.abs(np.diff(found, axis=1)).max() == largest_step


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("blend", BLENDS)
def test_memory_does_not_grow_with_the_height(blend: Blend, pixels: bool) -> None:
    def beyond_the_result(height: int) -> int:
        image = np.zeros((height, 203, 3), np.uint8)  # 203: padded to 208
        tracemalloc.start()
        derain_tiles(image, same, Tiling(64, 16, blend), None, pixels=pixels)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - image.nbytes

    beyond_the_result(256)  # first calls allocate what Python keeps
    # what does grow is an index and a weight per row; one row of this image is 609 bytes
    growth_per_row = (beyond_the_result(4096) - beyond_the_result(512)) / (4096 - 512)
    assert growth_per_row < 40


@pytest.mark.parametrize("tile", [0, -8, 4, 12, 65])
def test_a_tile_must_be_a_positive_multiple_of_8(tile: int) -> None:
    with pytest.raises(ShapeError, match=f"tile is {tile} pixels; expected a positive multiple"):
        Tiling(tile, 0)


@pytest.mark.parametrize("overlap", [-1, 64, 100])
def test_an_overlap_must_leave_a_stride(overlap: int) -> None:
    with pytest.raises(ShapeError, match=f"overlap is {overlap} pixels; expected 0 to 63"):
        Tiling(64, overlap)


def test_an_unknown_blend_is_refused() -> None:
    with pytest.raises(ShapeError, match="blend is 'cosine'; expected uniform or feather"):
        Tiling(64, 32, "cosine")  # type: ignore[arg-type]


def test_a_strip_thinner_than_the_overlap_is_refused_by_uniform_tiles_only() -> None:
    image = noise(20, 300)
    with pytest.raises(ShapeError, match="padded to 24x304, leaves square tiles of 24 pixels"):
        derain_tiles(image, same, Tiling(64, 32), None)
    np.testing.assert_array_equal(derain_tiles(image, same, Tiling(64, 32, "feather"), None), image)
    with pytest.raises(ShapeError, match="not more than the overlap of 24"):  # no step forward
        derain_tiles(image, same, Tiling(64, 24), None)


def test_progress_counts_every_tile() -> None:
    seen: list[tuple[int, int]] = []
    derain_tiles(noise(60, 100), same, Tiling(64, 32), lambda *call: seen.append(call))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_next_rows_tiles_run_while_a_row_ends() -> None:
    """A GPU would be idle at the end of each row otherwise."""
    together = 2
    barrier = threading.Barrier(together)

    def waits_for_another(batch: Batch) -> Batch:
        barrier.wait(timeout=10)
        return batch

    image = noise(8 * 6, 8).astype(np.uint8)  # one tile a row
    tiling = Tiling(8, 0, "feather")
    result = derain_tiles(image, waits_for_another, tiling, None, at_once=together)
    assert np.array_equal(result, image)
