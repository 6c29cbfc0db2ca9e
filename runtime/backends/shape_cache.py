"""Keeps what a backend prepares for an input shape, for the next input of that shape.

A library that knows the sizes plans better: it fuses more and lays tensors out once. Tiles have
one shape, a video has one, a folder of photos mostly has two; so the last few are kept.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Generic, TypeVar

from drsformer.contract import CHANNELS

InputShape = tuple[int, ...]
T = TypeVar("T")

SHAPES_KEPT = 2  # each has its own copy of the weights
# Each also keeps the memory of its last run, up to 6 KB a pixel: none is kept beside a large frame.
PIXELS_KEPT = 400_000


class ShapeCache(Generic[T]):
    """What a function makes of an input shape, of four sizes in any layout; threads may share it.

    Its length is the number of shapes kept.
    """

    def __init__(self, make: Callable[[InputShape], T]) -> None:
        """Make an empty cache.

        Args:
            make: called for a shape that is not kept.
        """
        self._make = make
        self._kept: OrderedDict[InputShape, T] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, shape: InputShape) -> T:
        """Return what belongs to a shape; a new one replaces those used longest ago."""
        with self._lock:
            if shape not in self._kept:
                while self._kept and not self._has_room(shape):
                    self._kept.popitem(last=False)
                self._kept[shape] = self._make(shape)
            self._kept.move_to_end(shape)
            return self._kept[shape]

    def clear(self) -> None:
        """Drop all cached objects."""
        with self._lock:
            self._kept.clear()

    def _has_room(self, shape: InputShape) -> bool:
        pixels = sum(prod(each) // CHANNELS for each in (shape, *self._kept))
        return len(self._kept) < SHAPES_KEPT and pixels <= PIXELS_KEPT
