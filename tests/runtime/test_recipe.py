"""The runtime against the authors' recipe: its golden images, and its own words in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from drsformer.contract import image_from_output, input_from_image
from drsformer.runtime import Derainer, RunOptions
from drsformer.runtime.model import Model

from ..samples import noise, write_model
from . import recipe

GOLDEN = Path(__file__).parents[1] / "data" / "recipe_small_mefc.npz"
GOLDEN_CASES = {
    "whole": ("image", None, 0),
    "tiled_24_8": ("image", 24, 8),
    "tiled_64_32": ("image", 64, 32),
    "whole_aligned": ("image_aligned", None, 0),
    "tiled_aligned_16_8": ("image_aligned", 16, 8),
}
SIZES = [(1, 1), (1, 30), (2, 3), (4, 5), (7, 9), (8, 8), (37, 53)]


@pytest.fixture(scope="module")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


def network_of(path: Path) -> recipe.Network:
    model = Model(path, RunOptions("cpu", threads=1))
    return lambda x: torch.from_numpy(model.run(x.numpy()))


def assert_off_by_one_at_most(
    found: NDArray[np.generic], expected: NDArray[np.generic], share: float
) -> None:
    error = np.abs(found.astype(int) - expected.astype(int))
    assert error.max() <= 1 and np.mean(error > 0) <= share, np.bincount(error.ravel())


@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_golden_images_come_out(small_onnx: Path, case: str) -> None:
    # The golden outputs come from another implementation of the network: where 255 times its
    # output lies within 1e-4 of a half, a level may differ.
    source, tile, overlap = GOLDEN_CASES[case]
    with np.load(GOLDEN) as golden:
        image, expected = golden[source], golden[case]
    with Derainer(small_onnx, threads=1, tile=tile, overlap=overlap) as derainer:
        found = derainer.derain(image)
    assert_off_by_one_at_most(found, expected, share=0.001)


@pytest.mark.parametrize("size", SIZES)
def test_whole_images_are_the_recipe_bit_for_bit(small_onnx: Path, size: tuple[int, int]) -> None:
    image = noise(*size)
    with Derainer(small_onnx, threads=1) as derainer:
        found = derainer.derain(image)
    np.testing.assert_array_equal(found, recipe.whole(image, network_of(small_onnx)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_photo_is_the_recipe_bit_for_bit(tiny_onnx: Path, dtype: type) -> None:
    image = noise(321, 481, dtype)
    with Derainer(tiny_onnx, threads=1) as derainer:
        found = derainer.derain(image)
    expected = recipe.whole(image, network_of(tiny_onnx))
    np.testing.assert_array_equal(found, expected)
    assert 0 in expected and np.iinfo(dtype).max in expected  # so clamping was tested too


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 32), (64, 0), (104, 17), (160, 152)])
def test_tiles_are_the_recipe_bit_for_bit(
    tiny_onnx: Path, tile: int, overlap: int, dtype: type
) -> None:
    image = noise(221, 181, dtype)
    with Derainer(tiny_onnx, threads=1, tile=tile, overlap=overlap) as derainer:
        found = derainer.derain(image)
    expected = recipe.tiled(image, network_of(tiny_onnx), tile, overlap)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(h, w) for h in range(1, 10) for w in (1, 2, 3, 5, 8, 9)])
def test_the_input_is_the_recipe_bit_for_bit(size: tuple[int, int], dtype: type) -> None:
    image = noise(*size, dtype)
    np.testing.assert_array_equal(
        input_from_image(image), recipe.input_from_image(image).numpy(), strict=True
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_output_is_the_recipe_bit_for_bit_also_at_halves(dtype: type) -> None:
    like = noise(61, 83, dtype)
    levels = np.random.default_rng(0).integers(-20, 2 * np.iinfo(dtype).max + 20, (1, 3, 64, 88))
    output = (levels / 2 / np.iinfo(dtype).max).astype(np.float32)  # every half, and beyond [0, 1]
    np.testing.assert_array_equal(
        image_from_output(output, like),
        recipe.image_from_output(torch.from_numpy(output), like),
        strict=True,
    )


def test_short_sides_bounce_as_documented() -> None:
    row = np.array([10, 20], np.uint8)
    image = np.repeat(row[None, :, None], 3, axis=2)  # one row of two pixels
    found = np.rint(input_from_image(image)[0, 0] * 255)
    np.testing.assert_array_equal(found, np.tile([10, 20, 10, 20, 10, 20, 10, 20], (8, 1)))
