"""The package keeps the contract as tests/data/contract_cases.json has it by example.

The C++ library's tests read the same file. Its values come from tools/contract_reference.py, which
computes them in whole numbers and fractions, and not from the package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import make_contract_cases
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from drsformer.contract import contract_from_json, image_from_output, input_from_image, padded_size
from drsformer.errors import DRSformerError, ModelError, ShapeError
from drsformer.export.uint8_io import with_uint8_io
from drsformer.runtime import Derainer
from drsformer.runtime.fitting import Limits
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Axis, Tiling

from ..samples import noise, write_identity

CASES = json.loads((Path(__file__).parents[1] / "data" / "contract_cases.json").read_text())


def cases(section: str) -> list[Any]:
    return [pytest.param(case, id=str(i)) for i, case in enumerate(CASES[section]["cases"])]


def floats(bits: Sequence[int]) -> NDArray[np.float32]:
    return np.array(bits, np.uint32).view(np.float32)


def bits_of(values: NDArray[Any]) -> list[int]:
    return values.view(np.uint16 if values.dtype == np.float16 else np.uint32).ravel().tolist()


def unpacked(runs: Sequence[Sequence[int]]) -> list[int]:
    return [value for value, count in runs for _ in range(count)]


def tiling_of(case: dict[str, Any]) -> Tiling:
    exact = case.get("exact")
    return Tiling(case["tile"], case["overlap"], case["blend"], exact and tuple(exact))


def test_making_the_file_again_gives_the_same_bytes(data: Path) -> None:
    written = (data / "contract_cases.json").read_bytes()
    assert written == make_contract_cases.text().encode(), "see tests/data/README.md"


@pytest.mark.parametrize("case", cases("padding"))
def test_sides_are_padded_by_reflection(case: dict[str, Any]) -> None:
    length, padded = case["length"], case["padded"]
    assert padded_size(length, 1) == (padded, 8)
    image = np.arange(length, dtype=np.uint8)[None, :, None].repeat(3, 2)
    found = np.rint(input_from_image(image)[0, 0, 0] * 255).astype(int).tolist()
    assert found == case["sources"]


@pytest.mark.parametrize("case", cases("scaling"))
def test_levels_are_scaled_in_float32(case: dict[str, Any]) -> None:
    image = np.array(case["levels"], case["dtype"])[None, :, None].repeat(3, 2)
    found = input_from_image(image)[0, 0, 0, : len(case["levels"])]
    assert bits_of(found) == case["float32"]
    assert bits_of(found.astype(np.float16)) == case["float16"]


@pytest.mark.parametrize("case", cases("halves"))
def test_halves_are_the_nearest(case: dict[str, Any]) -> None:
    with np.errstate(over="ignore"):
        assert bits_of(floats(case["float32"]).astype(np.float16)) == case["float16"]
    if case["exact"]:
        halves = np.array(case["float16"], np.uint16).view(np.float16)
        assert bits_of(halves.astype(np.float32)) == case["float32"]


@pytest.mark.parametrize("case", cases("rounding"))
def test_values_are_clamped_and_rounded_half_to_even(case: dict[str, Any]) -> None:
    values = floats(case["float32"])
    output = np.broadcast_to(values, (1, 3, 1, len(values)))
    like = np.zeros((1, len(values), 3), case["dtype"])
    assert image_from_output(output, like)[0, :, 0].tolist() == case["levels"]


@pytest.mark.parametrize("case", cases("tiles"))
def test_tiles_lie_and_weigh_as_written(case: dict[str, Any]) -> None:
    axes = tiling_of(case).axes(case["height"], case["width"])
    for axis, expected in zip(axes, (case["rows"], case["columns"]), strict=True):
        check_axis(axis, expected)


def check_axis(axis: Axis, expected: dict[str, Any]) -> None:
    windows = [unpacked(expected["windows"][kind]) for kind in expected["window_of"]]
    assert axis.side == expected["side"]
    assert list(axis.starts) == expected["starts"]
    assert [window.tolist() for window in axis.windows] == windows
    assert axis.total.tolist() == unpacked(expected["total"])


@pytest.mark.parametrize("case", cases("limits"))
def test_images_are_fitted_to_what_a_model_takes(case: dict[str, Any]) -> None:
    height, width = (side or None for side in case["most"])
    limits = Limits(tuple(case["least"]), (height, width))
    image = limits.enlarged(np.zeros((*case["image"], 3), np.uint8))
    assert list(image.shape[:2]) == case["enlarged"]
    expected = case["tiling"] and tiling_of(case["tiling"])
    assert limits.tiling_for(image, case["overlap"], case["blend"]) == expected


def made_up(case: dict[str, Any], shapes: Iterator[int], rows: int, columns: int) -> NDArray[Any]:
    """The number that the file's comment defines, (rows, columns, 3), for the next tile."""
    of_tile, of_y, of_x, of_channel, constant = case["coefficients"]
    y, x, channel = np.ogrid[:rows, :columns, :3]
    return of_tile * next(shapes) + of_y * y + of_x * x + of_channel * channel + constant


def levels_of(rows: Sequence[str], like: NDArray[Any]) -> NDArray[Any]:
    levels = np.frombuffer(bytes.fromhex("".join(rows)), like.dtype.newbyteorder(">"))
    return levels.reshape(like.shape).astype(like.dtype)


@pytest.mark.parametrize("case", cases("pixels"))
def test_levels_are_joined_as_whole_numbers(case: dict[str, Any]) -> None:
    numbers = iter(range(1000))

    def network(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return (made_up(case, numbers, *pixels.shape[1:3]) % 256).astype(np.uint8)[None]

    image = np.zeros((case["height"], case["width"], 3), np.uint8)
    found = derain_tiles(image, network, tiling_of(case), None, pixels=True)
    np.testing.assert_array_equal(found, levels_of(case["levels"], image))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("case", cases("floats"))
def test_values_are_joined_in_float32(case: dict[str, Any], dtype: type) -> None:
    numbers = iter(range(1000))

    def network(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = made_up(case, numbers, *batch.shape[2:]) % 512 - 128
        return (whole.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]

    image = np.zeros((case["height"], case["width"], 3), dtype)
    found = derain_tiles(image, network, tiling_of(case), None)
    np.testing.assert_array_equal(found, levels_of(case[image.dtype.name], image))


@pytest.mark.parametrize("case", cases("contracts"))
def test_contracts_are_taken(case: dict[str, Any]) -> None:
    assert contract_from_json(case["text"], source="model.onnx").dtype == case["dtype"]


REFUSALS = {
    kind: [
        pytest.param(case, id=str(i))
        for i, case in enumerate(CASES["refusals"]["cases"])
        if case["kind"] == kind
    ]
    for kind in ("contract", "tiling", "layout", "image")
}


def test_every_refusal_is_tested() -> None:
    assert sum(map(len, REFUSALS.values())) == len(CASES["refusals"]["cases"])


@pytest.mark.parametrize("case", REFUSALS["contract"])
def test_contracts_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        contract_from_json(case["text"] * case["times"], source="model.onnx")
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", REFUSALS["tiling"])
def test_tilings_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ShapeError) as caught:
        tiling_of(case)
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", REFUSALS["layout"])
def test_layouts_are_refused(case: dict[str, Any]) -> None:
    tiling = tiling_of(case)
    with pytest.raises(ShapeError) as caught:
        tiling.axes(case["height"], case["width"])
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", REFUSALS["image"])
def test_images_are_refused(case: dict[str, Any], tmp_path: Path) -> None:
    path = write_identity(tmp_path / "model.onnx", (1, 3, *(case["fixed"] or ("h", "w"))))
    if case["model"] == "uint8":
        onnx.save(with_uint8_io(onnx.load(path)), path)
    image = noise(case["height"], case["width"], case["dtype"])
    with (
        Derainer(path, threads=1, tile=case["tile"] or None, overlap=0) as derainer,
        pytest.raises(DRSformerError) as caught,
    ):
        derainer.derain(image)
    assert case["reason"] in str(caught.value)


def test_the_reference_finds_a_wrong_rule() -> None:
    """A tile more to the left, or another weight, is another result."""
    case = CASES["pixels"]["cases"][4]
    image = np.zeros((case["height"], case["width"], 3), np.uint8)
    expected = levels_of(case["levels"], image)
    for change in ({"overlap": 7}, {"blend": "uniform"}):
        numbers = iter(range(1000))

        def network(pixels: NDArray[np.uint8], numbers: Any = numbers) -> NDArray[np.uint8]:
            return (made_up(case, numbers, *pixels.shape[1:3]) % 256).astype(np.uint8)[None]

        found = derain_tiles(image, network, replace(tiling_of(case), **change), None, pixels=True)
        assert (found != expected).any()
