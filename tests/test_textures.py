"""Procedural textures for training: repeatable, strict about input."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from textures import dead_leaves, furred

from drsformer.errors import CalibrationError


@pytest.fixture
def clean() -> NDArray[np.uint8]:
    """A textured image: uint8 (96, 112, 3), RGB."""
    return dead_leaves((96, 112), np.random.default_rng(3))


def test_textures_repeat_and_vary() -> None:
    first = dead_leaves((64, 80), np.random.default_rng(1))
    assert first.shape == (64, 80, 3)
    assert first.dtype == np.uint8
    assert first.tobytes() == dead_leaves((64, 80), np.random.default_rng(1)).tobytes()
    assert first.tobytes() != dead_leaves((64, 80), np.random.default_rng(2)).tobytes()
    assert first.std() > 10


def test_fur_repeats_keeps_the_colours_and_repaints_the_rest(clean: NDArray[np.uint8]) -> None:
    first = furred(clean, np.random.default_rng(1))
    assert first.shape == clean.shape and first.dtype == np.uint8
    assert first.tobytes() == furred(clean, np.random.default_rng(1)).tobytes()
    assert np.abs(first.mean((0, 1)) - clean.mean((0, 1))).max() < 25
    assert np.abs(first.astype(int) - clean).mean() > 5


def test_fur_wants_a_colour_image() -> None:
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)):
        with pytest.raises(CalibrationError, match="uint8"):
            furred(wrong, np.random.default_rng(1))


def test_tiny_textures_are_refused() -> None:
    with pytest.raises(CalibrationError):
        dead_leaves((4, 80), np.random.default_rng(1))
