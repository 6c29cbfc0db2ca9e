"""Time what a tile costs beside the network: pixels blended as they are, or through float32.

    python benchmarks/tile_blending.py

Prints the CPU, then milliseconds a tile of 512x512 with a network that does nothing, in turn, and
their ratio.
"""

import statistics
import time
from typing import Any

import numpy as np

from drsformer.contract import Batch, Image
from drsformer.measuring.bench.report import machine
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Blend, Tiling

ROUNDS = 5
BLENDS: tuple[Blend, ...] = ("uniform", "feather")


def through_float(batch: Batch) -> Batch:
    """Convert to levels and back, as a uint8 network behind a float32 interface must."""
    levels = np.rint(batch * np.float32(255)).astype(np.uint8)
    return levels.astype(np.float32) / np.float32(255)


def seconds(image: Image, network: Any, tiling: Tiling, *, pixels: bool) -> float:
    """Return the time of a tile, seconds."""
    tiles = 0

    def count(done: int, in_all: int) -> None:
        nonlocal tiles
        tiles = in_all

    start = time.perf_counter()
    derain_tiles(image, network, tiling, count, pixels=pixels)
    return (time.perf_counter() - start) / tiles


def main() -> None:
    """Measure in turn and print."""
    print(machine()["processor"])
    image = np.random.default_rng(0).integers(0, 256, (2016, 2976, 3), np.uint8)
    for blend in BLENDS:
        tiling = Tiling(512, 32, blend)
        rounds = [
            (
                seconds(image, through_float, tiling, pixels=False),
                seconds(image, lambda pixels: pixels, tiling, pixels=True),
            )
            for _ in range(ROUNDS)
        ]
        old, new = (1e3 * statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{blend}: through float32 {old:.1f} ms, pixels {new:.1f} ms, ratio {new / old:.2f}")


if __name__ == "__main__":
    main()
