"""Write tests/data/contract_cases.json: the contract's rules by example, for every language.

    python tools/contract_cases.py -o tests/data/contract_cases.json

Python's tests read it, and so can an implementation in another language. Each list of cases says,
in its `rule`, what the others of its keys mean.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np

from drsformer.contract import (
    Pixels,
    image_from_output,
    input_from_image,
    padded_size,
    pixels_from_image,
)
from drsformer.files import written_whole
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Tiling

PADDED_SIDES = (1, 2, 3, 5, 8, 9, 15)
LEVELS = {"uint8": (0, 1, 127, 128, 254, 255), "uint16": (0, 1, 257, 32767, 32768, 65534, 65535)}
OUTPUTS = (-0.5, -0.0, 0.0019, 0.00196078443, 0.5, 0.501960814, 0.99803925, 1.0, 1.7)
TILINGS: tuple[tuple[int, int, Tiling], ...] = (
    (24, 40, Tiling(16, 8)),
    (13, 27, Tiling(16, 8)),
    (24, 24, Tiling(16, 15)),
    (24, 40, Tiling(16, 8, "feather")),
    (13, 27, Tiling(16, 5, "feather")),
    (16, 16, Tiling(24, 8, "feather")),
)


def cases() -> dict[str, Any]:
    """Return all cases as plain values."""
    return {
        "format": "drs-export contract cases 1",
        "padding": {
            "rule": "a side of `length` pixels is padded to len(`sources`); pixel i repeats "
            "pixel `sources`[i]",
            "cases": [_padding(length) for length in PADDED_SIDES],
        },
        "scaling": {
            "rule": "`level` of `dtype` becomes `value`, float32",
            "cases": [
                _scaling(level, dtype) for dtype, levels in LEVELS.items() for level in levels
            ],
        },
        "rounding": {
            "rule": "the network's float32 `value` becomes `level` of `dtype`",
            "cases": [_rounding(value, dtype) for value, dtype in product(OUTPUTS, LEVELS)],
        },
        "tiling": {
            "rule": "an image of `height` x `width` pixels, padded, is cut into tiles of `side` "
            "pixels from `starts`, with the whole-number `weights` of each tile's pixels along "
            "each axis. A pixel's weight is the product of its weights along both axes. A uint8 "
            "network gives, at padded pixel (y, x) of tile number t, row by row, and channel c, "
            "the level (31 * t + 7 * (y - top) + 3 * (x - left) + 5 * c) % 256. `levels` of the "
            "result, (height, width, 3): the sum of weight * level, divided by the sum of "
            "weights, rounded half to even, exactly",
            "cases": [_tiling(*case) for case in TILINGS],
        },
    }


def _padding(length: int) -> dict[str, Any]:
    image = np.arange(length, dtype=np.uint8).repeat(3).reshape(1, length, 3)
    return {"length": length, "sources": pixels_from_image(image)[0, 0, :, 0].tolist()}


def _scaling(level: int, dtype: str) -> dict[str, Any]:
    image = np.full((8, 8, 3), level, dtype)
    return {"dtype": dtype, "level": level, "value": float(input_from_image(image)[0, 0, 0, 0])}


def _rounding(value: float, dtype: str) -> dict[str, Any]:
    output = np.full((1, 3, 8, 8), value, np.float32)
    level = image_from_output(output, np.zeros((8, 8, 3), dtype))[0, 0, 0]
    return {"dtype": dtype, "value": float(np.float32(value)), "level": int(level)}


def _tiling(height: int, width: int, tiling: Tiling) -> dict[str, Any]:
    rows, columns = tiling.axes(*padded_size(height, width))
    number = iter(range(len(rows.starts) * len(columns.starts)))

    def formula(pixels: Pixels) -> Pixels:
        _, tall, wide, channels = pixels.shape
        y, x, c = np.ogrid[:tall, :wide, :channels]
        return ((31 * next(number) + 7 * y + 3 * x + 5 * c) % 256).astype(np.uint8)[None]

    image = np.zeros((height, width, 3), np.uint8)
    levels = derain_tiles(image, formula, tiling, None, pixels=True)
    axes = {
        name: {
            "side": axis.side,
            "starts": list(axis.starts),
            "weights": [window.tolist() for window in axis.windows],
        }
        for name, axis in (("rows", rows), ("columns", columns))
    }
    given = {"height": height, "width": width, "tile": tiling.tile, "overlap": tiling.overlap}
    return given | {"blend": tiling.blend} | axes | {"levels": levels.tolist()}


def text() -> str:
    """Return the file's content: one case a line."""
    parts = []
    for name, value in cases().items():
        if isinstance(value, str):
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
            continue
        lines = ",\n".join(f"   {json.dumps(case)}" for case in value["cases"])
        rule = json.dumps(value["rule"])
        parts.append(f' {json.dumps(name)}: {{\n  "rule": {rule},\n  "cases": [\n{lines}\n  ]\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    """Write the contract's cases."""
    with written_whole(output) as temporary:
        temporary.write_text(text())


if __name__ == "__main__":
    main()
