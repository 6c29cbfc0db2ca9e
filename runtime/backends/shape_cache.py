"""What a backend prepares for one input shape, kept for the next input of that shape.

A runtime that knows the sizes plans better: it fuses more and lays tensors out once. Tiles have
one shape, a video has one, a folder of photos mostly has two; so the last few are kept.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Generic, TypeVar

from drsformer.contract import CHANNELS

Shape = tuple[int, ...]
T = TypeVar("T")

SHAPES_KEPT = 2  # each has its own copy of the weights
# Each keeps the memory of its last run too, up to 6 KB a pixel: beside a large frame, none is kept.
PIXELS_KEPT = 400_000


class ByShape(Generic[T]):
    """Things by input shape, of four sizes in any layout; threads may share it."""

    def __init__(self, make: Callable[[Shape], T]) -> None:
        """Take the function that prepares for a shape."""
        self._make = make
        self._kept: OrderedDict[Shape, T] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return the number of shapes kept."""
        return len(self._kept)

    def get(self, shape: Shape) -> T:
        """Return what belongs to a shape; those used longest ago make room for a new one."""
        with self._lock:
            if shape not in self._kept:
                while self._kept and not self._has_room(shape):
                    self._kept.popitem(last=False)
                self._kept[shape] = self._make(shape)
            self._kept.move_to_end(shape)
            return self._kept[shape]

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._kept.clear()

    def _has_room(self, shape: Shape) -> bool:
        pixels = sum(prod(each) // CHANNELS for each in (shape, *self._kept))
        return len(self._kept) < SHAPES_KEPT and pixels <= PIXELS_KEPT
