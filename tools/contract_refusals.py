"""What every implementation of the contract must take, and what it must refuse with which reason.

A `reason` is the part of the sentence that is the same in all languages; advice follows it.
"""

import json
from typing import Any

Case = dict[str, Any]

FLOAT: dict[str, Any] = {
    "input_name": "input",
    "output_name": "output",
    "layout": "NCHW",
    "color": "RGB",
    "dtype": "float32",
    "value_range": [0.0, 1.0],
    "multiple_of": 8,
    "padding": "reflect right and bottom, crop after",
    "output_range": "clamp after",
    "rounding": "half to even",
}
HALF = FLOAT | {"dtype": "float16"}
PIXELS = FLOAT | {
    "layout": "NHWC",
    "dtype": "uint8",
    "value_range": [0.0, 255.0],
    "output_range": "clamped inside",
    "rounding": "half to even, inside",
}
SOURCE = "model.onnx"
ANY = f"{SOURCE}: its contract "  # where languages stop at different points
UNREADABLE = f"{SOURCE}: its contract cannot be read"


def taken() -> list[Case]:
    """Return texts that are contracts, and the element type that each promises."""
    texts = [
        (json.dumps(FLOAT), "float32"),
        (json.dumps(HALF, sort_keys=True), "float16"),
        (json.dumps(PIXELS, separators=(",", ":")), "uint8"),
        (json.dumps(FLOAT, indent="\t") + "\r\n", "float32"),
        (json.dumps(dict(reversed(PIXELS.items()))), "uint8"),
        (json.dumps(FLOAT | {"value_range": [0, 1], "multiple_of": 8.0}), "float32"),
        (json.dumps(FLOAT).replace("RGB", "\\u0052G\\u0042"), "float32"),
        ('{"value_range": [0, 1]}', "float32"),  # what is missing has its usual value
        ('{"value_range": [0e5, 10E-1], "dtype": "float16"}', "float16"),
        ('{"multiple_of": 4, "value_range": [0, 1], "multiple_of": 8}', "float32"),  # the last one
    ]
    return [{"text": text, "dtype": dtype} for text, dtype in texts]


def refused() -> list[Case]:
    """Return all refusals; each has its kind, what is refused, and the reason."""
    return [*_contracts(), *_tilings(), *_layouts(), *_images()]


def _contracts() -> list[Case]:
    other = [
        ("input_name", "x", "'x'"),
        ("output_name", "", "''"),
        ("layout", "NHWC", "'NHWC'"),
        ("color", "BGR", "'BGR'"),
        ("color", "rgb", "'rgb'"),
        ("dtype", "float64", "'float64'"),
        ("dtype", 5, "5"),
        ("value_range", [0, 255], ""),
        ("value_range", [0.0], ""),
        ("value_range", [], ""),
        ("value_range", [0, 1, 2], ""),
        ("multiple_of", 4, "4"),
        ("multiple_of", "8", "'8'"),
        ("padding", "zeros", "'zeros'"),
        ("output_range", "clamped inside", "'clamped inside'"),
        ("rounding", "half up", "'half up'"),
    ]
    cases = [
        _contract(json.dumps(FLOAT | {name: value}), f"{SOURCE}: its contract says {name} = {said}")
        for name, value, said in other
    ]
    cases += [
        # the first field that is wrong is named, in the order of the contract
        _contract(
            json.dumps(FLOAT | {"color": "BGR", "input_name": "x"}),
            f"{SOURCE}: its contract says input_name = 'x'",
        ),
        _contract(
            json.dumps(FLOAT | {"dtype": "uint8"}), f"{SOURCE}: its contract says layout = 'NCHW'"
        ),
        _contract(
            json.dumps(PIXELS | {"dtype": "float16"}),
            f"{SOURCE}: its contract says layout = 'NHWC'",
        ),
    ]
    unreadable = [
        "", " ", "null", "true", "5", '"text"', "[]", "[1, 2]", "{", "{}", "{]", "{'a': 1}",
        '{"a": 1}', "not JSON", '{"value_range": null}', '{"value_range": 5}',
        json.dumps(FLOAT)[:-1], json.dumps(FLOAT) + "}", json.dumps(FLOAT | {"new": 1}),
        json.dumps(FLOAT).replace('"RGB"', '"R\nGB"'), "\ufeff" + json.dumps(FLOAT),
        "/* a */ " + json.dumps(FLOAT), json.dumps(FLOAT)[:-1] + ",}",
    ]  # fmt: skip
    cases += [_contract(text, UNREADABLE) for text in unreadable]
    cases += [_contract(text, UNREADABLE, times=100_000) for text in ("[", '{"a":')]
    somehow = [
        '{"value_range": [NaN, 1]}', '{"value_range": [0, 1e999]}', '{"value_range": "ab"}',
        '{"value_range": [0, 1], "dtype": null}', '{"value_range": [0, 1], "color": {"a": [1]}}',
        '{"value_range": [0, 1], "color": "\\ud800"}',
        '{"value_range": [0, 1], "multiple_of": 18446744073709551624}',
    ]  # fmt: skip
    return cases + [_contract(text, ANY) for text in somehow]


def _contract(text: str, reason: str, times: int = 1) -> Case:
    return {"kind": "contract", "text": text, "times": times, "reason": reason}


def _tilings() -> list[Case]:
    cases = [
        {"tile": tile, "overlap": 0, "blend": "uniform",
         "reason": f"tile is {tile} pixels; expected a positive multiple of 8"}
        for tile in (0, -8, 4, 12, 1023)
    ]  # fmt: skip
    cases += [
        {"tile": 64, "overlap": overlap, "blend": blend,
         "reason": f"overlap is {overlap} pixels; expected 0 to 63, below the tile"}
        for overlap in (-5, 64, 100) for blend in ("uniform", "feather")
    ]  # fmt: skip
    cases += [
        {"tile": 64, "overlap": 32, "blend": blend, "reason": "blend is "}
        for blend in ("", "median", "Uniform")
    ]
    return [{"kind": "tiling"} | case for case in cases]


def _layouts() -> list[Case]:
    """Return settings that are right on their own, and wrong for an image's padded size."""
    return [
        {"kind": "layout", "height": height, "width": width, "tile": tile, "overlap": overlap,
         "blend": "uniform",
         "reason": f"an image, padded to {height}x{width}, leaves square tiles of {side} pixels, "
         f"not more than the overlap of {overlap}"}
        for height, width, tile, overlap, side in
        [(8, 16, 64, 8, 8), (16, 8, 64, 32, 8), (40, 56, 64, 40, 40), (200, 32, 64, 63, 32)]
    ]  # fmt: skip


def _images() -> list[Case]:
    """Return what an opened model refuses; `fixed` is the only size that it takes."""
    pixels: Case = {
        "kind": "image", "model": "uint8", "fixed": None, "dtype": "uint16", "tile": 0,
        "reason": "an image has uint16 samples, and the model takes 8-bit pixels (--io uint8)",
    }  # fmt: skip
    size: Case = {
        "kind": "image", "model": "float32", "fixed": [64, 64], "dtype": "uint8", "tile": 32,
        "reason": "an image or tile is 32x32 (height x width, padded to multiples of 8), but ",
    }  # fmt: skip
    return [
        pixels | {"height": 13, "width": 27},
        pixels | {"height": 64, "width": 64, "tile": 32},
        size | {"height": 64, "width": 64},
        size | {"height": 100, "width": 70},
    ]
