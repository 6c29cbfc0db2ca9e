"""The contract's arithmetic, and what it refuses."""

import json

import numpy as np
import pytest

from drsformer.contract import (
    CONTRACT,
    contract_from_json,
    image_from_output,
    input_from_image,
    padded_size,
)
from drsformer.errors import ModelError, ShapeError


def image(height, width, dtype=np.uint8):
    rng = np.random.default_rng(0)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, 3)).astype(dtype)


def test_sizes_round_up_to_the_multiple():
    assert [padded_size(*s) for s in [(1, 8), (9, 16), (321, 481)]] == [
        (8, 8),
        (16, 16),
        (328, 488),
    ]


def test_reflection_does_not_repeat_the_edge():
    column = np.arange(13, dtype=np.uint8)[:, None, None].repeat(3, 2).repeat(8, 1)
    padded = input_from_image(column)[0, 0, :, 0] * 255
    assert np.round(padded).astype(int).tolist() == [*range(13), 11, 10, 9]


def test_reflection_bounces_where_a_side_is_shorter_than_its_padding():
    two = np.array([7, 9], np.uint8)[:, None, None].repeat(3, 2).repeat(8, 1)
    padded = np.round(input_from_image(two)[0, 0, :, 0] * 255).astype(int).tolist()
    assert padded == [7, 9, 7, 9, 7, 9, 7, 9]


def test_a_single_pixel_is_repeated():
    assert (input_from_image(np.full((1, 1, 3), 51, np.uint8)) == np.float32(0.2)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (37, 53)])
def test_an_image_survives_the_way_in_and_out(dtype, size):
    original = image(*size, dtype)
    assert np.array_equal(image_from_output(input_from_image(original), original), original)


def test_rounding_is_half_to_even_and_values_are_clamped():
    levels = np.array([0.5, 1.5, 2.5, -10.0, 300.0], np.float32) / 255
    output = np.broadcast_to(levels, (1, 3, 1, 5)).copy()
    like = np.zeros((1, 5, 3), np.uint8)
    assert image_from_output(output, like)[0, :, 0].tolist() == [0, 2, 2, 0, 255]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_what_is_no_rgb_image_is_refused(bad):
    with pytest.raises(ShapeError):
        input_from_image(bad)


def test_contract_survives_json():
    assert contract_from_json(CONTRACT.to_json(), source="x") == CONTRACT


@pytest.mark.parametrize(
    ("field", "value"),
    [("layout", "NHWC"), ("value_range", [0.0, 255.0]), ("multiple_of", 16), ("padding", "zeros"),
     ("output_range", "any"), ("rounding", "half up"), ("input_name", "x"), ("dtype", "int8")],
)  # fmt: skip
def test_each_rule_of_a_contract_counts(field, value):
    text = json.dumps(json.loads(CONTRACT.to_json()) | {field: value})
    with pytest.raises(ModelError, match=f"its contract says {field} = "):
        contract_from_json(text, source="model.onnx")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", json.dumps(json.loads(CONTRACT.to_json()) | {"color": "BGR"})]
)
def test_a_contract_that_we_cannot_obey_is_refused(text):
    with pytest.raises(ModelError, match="model.onnx"):
        contract_from_json(text, source="model.onnx")
