"""Decides whether an image is derained whole or in tiles, by the memory that is free.

Nothing is decided where memory is not that of the CPU, or not known: images are then derained
whole. A decision holds for the images of one size that follow each other, as a video's frames do.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from drsformer.contract import Image, padded_size
from drsformer.errors import ModelError

from .free_memory import free_memory
from .memory_need import Need, measured_need, rough_bytes_of
from .model import Model
from .options import RunOptions
from .tiling import Blend, Tiling

log = logging.getLogger(__name__)
SHARE = 0.8  # of the free memory; the rest is for what was not foreseen
STEP = 128  # between the tiles that are tried, pixels, and the smallest of them
# The result, and its copies while it is encoded, for each value of the image: a channel of a pixel
COPIES = 5

Size = tuple[int, int]  # height and width of the padded image, pixels


@dataclass(frozen=True)
class _Plan:
    """What was decided for a size: a tiling, or None for whole images."""

    size: Size
    tiling: Tiling | None


class WholeOrTiles:
    """Decides for one model; what it has measured is kept."""

    def __init__(self, path: Path, options: RunOptions, overlap: int, blend: Blend) -> None:
        """Take what a `Derainer` was given; see there."""
        self._path, self._options = path, options
        self._overlap, self._blend = overlap, blend
        self._needs: dict[bool, Need] = {}  # by whether it is one of large inputs
        self._plan: _Plan | None = None
        self._blind = self._said = False

    def tiling_for(self, image: Image, model: Model) -> Tiling | None:
        """Return how to cut an image so that it fits into the free memory; None for whole.

        Args:
            image: as for `Derainer.derain`.
            model: the model, opened; it takes any height and width.
        """
        size = padded_size(*image.shape[:2])
        plan = self._plan
        if plan is None or plan.size != size:
            plan = self._plan = _Plan(size, self._decided(image, size, model))
        return plan.tiling

    def _decided(self, image: Image, size: Size, model: Model) -> Tiling | None:
        free = free_memory() if model.samples and not self._blind else None
        held = COPIES * image.nbytes
        if free is None or rough_bytes_of(model, prod(size)) + held <= SHARE * free:
            return None
        try:
            whole = self._bytes_of(prod(size), model) + held
            if whole > SHARE * free:  # the last image's memory may be kept for the next of its size
                model.release()
                free = free_memory() or free
            if whole <= SHARE * free:
                return None
            side, fits = self._side(size, model, SHARE * free - held)
        except ModelError as error:
            self._blind = True
            log.warning("how much memory %s takes is not known: %s", self._path, error)
            return None
        self._say_once(image, whole, free, f"{side}{'' if fits else ', which may not fit either'}")
        return Tiling(side, min(self._overlap, side // 2), self._blend)

    def _side(self, size: Size, model: Model, most_bytes: float) -> tuple[int, bool]:
        """Return the largest side of a tile, pixels, that fits, and whether it does."""
        for side in _sides(size, self._blend):
            if self._bytes_of(prod(min(side, each) for each in size), model) <= most_bytes:
                return side, True
        return side, False

    def _bytes_of(self, pixels: int, model: Model) -> int:
        as_large = model.is_large(pixels)
        if as_large not in self._needs:
            self._needs[as_large] = measured_need(self._path, self._options, as_large=as_large)
        return self._needs[as_large].bytes_of(pixels)

    def _say_once(self, image: Image, whole: int, free: int, tile: str) -> None:
        if self._said:
            return
        self._said = True
        height, width, _ = image.shape
        log.warning(
            "%d x %d pixels take about %.1f GB whole, more than four fifths of the %.1f GB that "
            "are free: images are cut into tiles of %s, which changes the result a little; "
            "--no-tile insists on whole ones",
            width,
            height,
            whole / 1e9,
            free / 1e9,
            tile,
        )


def _sides(size: Size, blend: Blend) -> Iterator[int]:
    """Yield the sides of tiles to try, pixels, the largest first; at least one.

    Tiles that are no longer than the image is, as `Tiling` cuts them.
    """
    longest = min(size) if blend == "uniform" else max(size)
    yield longest
    yield from range((longest - 1) // STEP * STEP, 0, -STEP)
