"""Write tests/data/contract_cases.json: the contract's rules by example, for every language.

    python tools/make_contract_cases.py -o tests/data/contract_cases.json

The tests of the Python package and those of the C++ library read it, and so can an implementation
in another language. Each section says, in its `rule`, what the keys of its cases mean. Expected
values come from `contract_reference`, not from the code that they check.
"""

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from contract_reference import (
    FLOAT16,
    FLOAT32,
    LARGEST,
    AxisPlan,
    Plan,
    axes_of,
    enlarged,
    joined_floats,
    joined_pixels,
    level_of,
    padded_length,
    plan_for,
    reflected_source,
    runs,
    scaled,
)
from contract_refusals import SOURCE, refused, taken

Case = dict[str, Any]

LEVELS = {
    "uint8": range(256),
    "uint16": sorted(
        {0, 1, 2, 3, 255, 256, 257, 21845, 32767, 32768, 43690, 65279, 65280, 65534, 65535}
        | {2**power - 1 for power in range(2, 16)}
        | set(range(0, 65536, 1237))
    ),
}
# padded height and width, tile, overlap
UNIFORM_AND_FEATHER = (
    (8, 8, 64, 32), (8, 8, 8, 0), (8, 8, 8, 7), (64, 64, 64, 32), (72, 72, 64, 32),
    (96, 96, 64, 32), (104, 200, 64, 32), (200, 104, 64, 0), (104, 96, 64, 1), (104, 96, 64, 31),
    (64, 72, 64, 63), (328, 488, 128, 33), (256, 136, 64, 32), (24, 24, 16, 15), (40, 56, 64, 32),
    (56, 40, 512, 39), (488, 16, 16, 8), (16, 128, 8, 5), (48, 64, 24, 17),
)  # fmt: skip
FEATHER_ALONE = ((8, 488, 512, 32), (8, 96, 64, 32), (40, 96, 64, 40))
# the only or largest sizes of a model, and an image's: height and width, 0 for any; overlap
MODELS = (
    ((8, 8), (0, 0), (1, 1), 32), ((8, 8), (0, 0), (4000, 3000), 32),
    ((64, 64), (64, 64), (64, 64), 32), ((64, 64), (64, 64), (57, 60), 32),
    ((64, 64), (64, 64), (1, 1), 32), ((64, 64), (64, 64), (37, 100), 32),
    ((64, 64), (64, 64), (65, 64), 32), ((64, 64), (64, 64), (200, 129), 32),
    ((64, 64), (64, 64), (200, 129), 33), ((64, 64), (64, 64), (200, 129), 0),
    ((64, 96), (64, 96), (200, 200), 32), ((64, 96), (64, 96), (40, 200), 48),
    ((96, 16), (96, 16), (100, 100), 32), ((8, 8), (64, 64), (37, 53), 32),
    ((8, 8), (64, 64), (129, 53), 32), ((8, 8), (64, 64), (9, 129), 32),
    ((64, 64), (512, 0), (37, 2000), 32), ((64, 64), (512, 0), (513, 2000), 32),
    ((256, 8), (0, 512), (100, 600), 300), ((16, 16), (128, 256), (321, 481), 16),
    ((8, 8), (8, 8), (9, 30), 32), ((8, 8), (8, 16), (20, 20), 3),
)  # fmt: skip
# height and width of the image, how it is cut, and the coefficients of the network's result
USUAL, ALL_WHITE, STEEP = (31, 7, 3, 5, 0), (0, 0, 0, 0, 255), (97, 61, 43, 17, 11)
JOINED_PIXELS = (
    (24, 40, Plan(16, 8, "uniform"), USUAL), (13, 27, Plan(16, 8, "uniform"), USUAL),
    (24, 24, Plan(16, 15, "uniform"), STEEP), (24, 40, Plan(16, 0, "uniform"), STEEP),
    (24, 40, Plan(16, 8, "feather"), USUAL), (13, 27, Plan(16, 5, "feather"), STEEP),
    (16, 16, Plan(24, 8, "feather"), USUAL), (1, 1, Plan(8, 3, "feather"), STEEP),
    (3, 41, Plan(16, 7, "feather"), STEEP), (29, 31, Plan(24, 23, "feather"), STEEP),
    (29, 31, Plan(24, 23, "feather"), ALL_WHITE), (21, 35, Plan(24, 8, "uniform", (16, 24)), STEEP),
    (35, 21, Plan(16, 4, "feather", (16, 8)), STEEP),
)  # fmt: skip
JOINED_FLOATS = (
    (24, 24, Plan(16, 8, "uniform"), USUAL), (13, 27, Plan(16, 8, "feather"), STEEP),
    (10, 20, Plan(16, 15, "feather"), STEEP), (3, 41, Plan(16, 7, "feather"), USUAL),
    (21, 19, Plan(16, 4, "uniform", (16, 8)), STEEP),
)  # fmt: skip


def sections() -> dict[str, Any]:
    """Return the file's content as plain values."""
    return {
        "format": "drs-export contract cases 2",
        "comment": "Sizes are height, then width, in pixels. A float is given as its bits, a whole "
        "number: those of IEEE 754's binary32, or binary16 where the key says float16. A list of "
        "runs is a list of [value, count]. Where a network's result has to be made up, tile number "
        "t, counted row by row, has at its pixel (y, x) and channel c the number n = k0 * t + k1 * "
        "y + k2 * x + k3 * c + k4, and `coefficients` are k0 to k4.",
        "padding": _section(
            "a side of `length` pixels is padded to `padded`; pixel i repeats pixel `sources`[i]",
            map(_padding, range(1, 41)),
        ),
        "scaling": _section(
            "level `levels`[i] of `dtype` becomes `float32`[i], and with a float16 model "
            "`float16`[i], which is made from the float32",
            (_scaling(dtype, levels) for dtype, levels in LEVELS.items()),
        ),
        "halves": _section(
            "`float32`[i] becomes `float16`[i]: the nearest, ties to even; `exact` says whether "
            "they are the same number, so that the way back gives `float32`[i] again",
            (_halves(exact) for exact in (True, False)),
        ),
        "rounding": _section(
            "the network's `float32`[i] becomes `levels`[i] of `dtype`: clamped to [0, 1], times "
            "the largest level in float32, rounded half to even",
            map(_rounding, LARGEST),
        ),
        "tiles": _section(
            "an image padded to `height` x `width` is cut by `tile`, `overlap`, `blend` and, where "
            "not null, `exact` height and width of every tile. Along `rows` and `columns`: `side` "
            "of a tile, first pixels of all (`starts`), the different `windows` of weights as "
            "runs, which of them each tile has (`window_of`), and the `total` of weights as runs",
            map(_tiles, _tile_plans()),
        ),
        "limits": _section(
            "a model takes sides from `least` to `most`, 0 for any. An `image` is first padded to "
            "`enlarged`, then cut by `tiling` if that is not null; `overlap` and `blend` are what "
            "the user asked for",
            (_limits(*model, blend) for model in MODELS for blend in ("uniform", "feather")),
        ),
        "pixels": _section(
            "a network gives levels n % 256; an image of `height` x `width`, padded and cut as in "
            "`tiles`, gets `levels`, (height, width, 3), two hexadecimal digits each, a row a "
            "string: the sum of weight * level, divided by the sum of weights, rounded half to "
            "even. A weight is the product of the weights along both axes",
            (_pixels(*case) for case in JOINED_PIXELS),
        ),
        "floats": _section(
            "as `pixels`, with the values (n % 512 - 128) / 255, one division in float32. Every "
            "weight * value, every sum in the order of the tiles, and the division by the sum of "
            "weights are rounded to float32; then as `rounding` says. `uint8` and `uint16` are the "
            "levels of 8- and 16-bit images, two and four digits each",
            (_floats(*case) for case in JOINED_FLOATS),
        ),
        "contracts": _section(
            "`text` is a contract for tensors of `dtype`",
            taken(),
        ),
        "refusals": _section(
            "what must fail, with a sentence that has `reason` in it. By `kind`: contract, the "
            f"`text`, repeated `times` times, of the file {SOURCE}. tiling, `tile`, `overlap` and "
            "`blend` that fit no image. layout, ones that do not fit this padded size. image, one "
            "of `dtype` that a `model` of that type does not take; `fixed` is the only size that "
            "the model takes, `tile` 0 is whole images, the overlap is 0",
            refused(),
        ),
    }


def _section(rule: str, cases: Iterable[Case]) -> Case:
    return {"rule": rule, "cases": list(cases)}


def _padding(length: int) -> Case:
    padded = padded_length(length)
    sources = [reflected_source(index, length) for index in range(padded)]
    return {"length": length, "padded": padded, "sources": sources}


def _scaling(dtype: str, levels: Sequence[int]) -> Case:
    values = [scaled(level, dtype) for level in levels]
    return {
        "dtype": dtype,
        "levels": list(levels),
        "float32": [FLOAT32.bits_of(value) for value in values],
        "float16": [FLOAT16.bits_of(value) for value in values],
    }


def _halves(exact: bool) -> Case:
    """Return halves as they are, or the points between two of them and what lies beside those."""
    halves = [0, 1, 2, 3, 511, 512, 1022, 1023, 1024, 1025, 2047, 2048, 15359, 15360, 15361, 31742]
    values = [FLOAT16.value_of(half) for half in (*halves, 31743)]
    bits = [FLOAT32.bits_of(value) for value in values]
    if not exact:
        # above the largest half there is infinity, as if it were the next number
        values.append(Fraction(2**16))
        middles = [(low + high) / 2 for low, high in zip(values, values[1:], strict=False)]
        bits = [FLOAT32.bits_of(middle) + ulps for middle in middles for ulps in (-1, 0, 1)]
        bits += [1, 2**23 - 1, 2**23, FLOAT32.bits_of(Fraction(10**30)), FLOAT32.infinity - 1]
    both_signs = [*bits, *(FLOAT32.sign_bit | each for each in bits)]
    return {"exact": exact, "float32": both_signs, "float16": list(map(_half, both_signs))}


def _half(float32: int) -> int:
    sign = FLOAT16.sign_bit if float32 & FLOAT32.sign_bit else 0  # also of -0.0
    return sign | FLOAT16.bits_of(abs(FLOAT32.value_of(float32)))


def _rounding(dtype: str) -> Case:
    """Return values at and beside each half of a level, and some out of range."""
    largest = LARGEST[dtype]
    step = 1 if dtype == "uint8" else 509
    halves = [Fraction(2 * level + 1, 2 * largest) for level in range(0, largest, step)]
    bits = [FLOAT32.bits_of(half) + ulps for half in halves for ulps in (-1, 0, 1)]
    one, minus = FLOAT32.bits_of(Fraction(1)), FLOAT32.sign_bit
    bits += [0, minus, 1, minus | 1, 2**23 - 1, minus | 2**23 - 1, 2**23, one - 1, one, one + 1]
    bits += [FLOAT32.bits_of(Fraction(value)) for value in ("-0.5", "-1", "1.7", "255", "-1e30")]
    bits += [FLOAT32.infinity - 1, minus | FLOAT32.infinity - 1]
    levels = [level_of(FLOAT32.value_of(each), dtype) for each in bits]
    return {"dtype": dtype, "float32": bits, "levels": levels}


def _tile_plans() -> Iterable[tuple[int, int, Plan]]:
    for height, width, tile, overlap in UNIFORM_AND_FEATHER:
        for blend in ("uniform", "feather"):
            yield height, width, Plan(tile, overlap, blend)
    for height, width, tile, overlap in FEATHER_ALONE:
        yield height, width, Plan(tile, overlap, "feather")
    for least, most, image, overlap in MODELS:
        size = enlarged(image, least)
        plan = plan_for(size, most, overlap, "feather")
        if plan is not None:
            yield padded_length(size[0]), padded_length(size[1]), plan


def _tiles(case: tuple[int, int, Plan]) -> Case:
    height, width, plan = case
    rows, columns = axes_of(plan, height, width)
    return _given(height, width, plan) | {"rows": _axis(rows), "columns": _axis(columns)}


def _axis(axis: AxisPlan) -> Case:
    windows: list[list[int]] = []
    for window in axis.windows:
        if window not in windows:
            windows.append(window)
    return {
        "side": axis.side,
        "starts": axis.starts,
        "windows": list(map(runs, windows)),
        "window_of": [windows.index(window) for window in axis.windows],
        "total": runs(axis.total),
    }


def _given(height: int, width: int, plan: Plan) -> Case:
    return {"height": height, "width": width} | _settings(plan)


def _settings(plan: Plan) -> Case:
    exact = list(plan.exact) if plan.exact else None
    return {"tile": plan.tile, "overlap": plan.overlap, "blend": plan.blend, "exact": exact}


def _limits(
    least: Sequence[int], most: Sequence[int], image: Sequence[int], overlap: int, blend: str
) -> Case:
    size = enlarged(image, least)
    plan = plan_for(size, most, overlap, blend)
    return {
        "least": least, "most": most, "image": image, "overlap": overlap, "blend": blend,
        "enlarged": size, "tiling": _settings(plan) if plan else None,
    }  # fmt: skip


def _pixels(height: int, width: int, plan: Plan, coefficients: Sequence[int]) -> Case:
    levels = joined_pixels(plan, height, width, coefficients)
    given = _given(height, width, plan) | {"coefficients": coefficients}
    return given | {"levels": _hexadecimal(levels, width, 2)}


def _floats(height: int, width: int, plan: Plan, coefficients: Sequence[int]) -> Case:
    case = _given(height, width, plan) | {"coefficients": coefficients}
    means = joined_floats(plan, height, width, coefficients)
    for dtype, digits in (("uint8", 2), ("uint16", 4)):
        levels = [level_of(mean, dtype) for mean in means]
        case[dtype] = _hexadecimal(levels, width, digits)
    return case


def _hexadecimal(levels: Sequence[int], width: int, digits: int) -> list[str]:
    text = "".join(f"{level:0{digits}x}" for level in levels)
    row = width * 3 * digits
    return [text[first : first + row] for first in range(0, len(text), row)]


def text() -> str:
    """Return the file's content: one case a line."""
    parts = []
    for name, value in sections().items():
        if isinstance(value, str):
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
            continue
        lines = ",\n".join(f"   {_line(case)}" for case in value["cases"])
        rule = json.dumps(value["rule"])
        parts.append(f' {json.dumps(name)}: {{\n  "rule": {rule},\n  "cases": [\n{lines}\n  ]\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(case: Case) -> str:
    return json.dumps(case, separators=(",", ":"))


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    """Write the contract's cases."""
    output.write_text(text())


if __name__ == "__main__":
    main()
