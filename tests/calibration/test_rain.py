"""Synthetic rain: repeatable, of the promised strength, strict about input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drsformer.calibration.rain import (
    KINDS,
    Rain,
    Streaks,
    rainy_from_clean,
    sample_rain,
    streak_layer,
)
from drsformer.errors import CalibrationError


@pytest.fixture(scope="module")
def clean() -> NDArray[np.uint8]:
    """A textured image: uint8 (96, 112, 3), RGB."""
    grain = np.random.default_rng(3).integers(0, 256, (96, 112, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(grain, (0, 0), 3.0), np.uint8)


def mean_psnr(clean: NDArray[np.uint8], kind: str, count: int = 30) -> float:
    """Mean PSNR in decibels of rainy against clean images."""
    values = []
    for seed in range(count):
        rainy = rainy_from_clean(clean, sample_rain(np.random.default_rng(seed), kind), seed)
        error = np.mean((rainy.astype(np.float64) - clean) ** 2)
        values.append(10 * np.log10(255.0**2 / max(error, 1e-3)))
    return float(np.mean(values))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes(clean: NDArray[np.uint8], kind: str) -> None:
    rain = sample_rain(np.random.default_rng(5), kind)
    assert rain == sample_rain(np.random.default_rng(5), kind)
    first = rainy_from_clean(clean, rain, 11)
    assert first.tobytes() == rainy_from_clean(clean, rain, np.random.default_rng(11)).tobytes()
    assert first.tobytes() != rainy_from_clean(clean, rain, 12).tobytes()


def test_output_is_an_image_of_equal_size(clean: NDArray[np.uint8]) -> None:
    before = clean.copy()
    rainy = rainy_from_clean(clean, sample_rain(np.random.default_rng(0)), 0)
    assert rainy.shape == clean.shape
    assert rainy.dtype == np.uint8
    assert np.array_equal(clean, before)


@pytest.mark.parametrize("blend", ["add", "screen", "alpha"])
@pytest.mark.parametrize("layers", [(), (Streaks(density=0.0),), (Streaks(1.0, brightness=0.0),)])
def test_rain_without_strength_changes_nothing(
    clean: NDArray[np.uint8], layers: tuple[Streaks, ...], blend: str
) -> None:
    rain = Rain(layers, blend=blend)  # type: ignore[arg-type]
    assert np.array_equal(rainy_from_clean(clean, rain, 1), clean)


def test_added_light_is_grey_and_never_darkens(clean: NDArray[np.uint8]) -> None:
    rain = Rain((Streaks(density=0.5, brightness=0.4),))
    dark = clean // 4  # dark enough that nothing clips
    light = rainy_from_clean(dark, rain, 7).astype(int) - dark
    assert light.min() >= 0
    assert light.max() > 60
    assert np.array_equal(light[..., 0], light[..., 1])
    assert np.array_equal(light[..., 0], light[..., 2])


def test_strength_follows_the_kind(clean: NDArray[np.uint8]) -> None:
    light, medium, heavy = (mean_psnr(clean, kind) for kind in ("light", "medium", "heavy"))
    assert light > medium + 2 > heavy + 4
    assert 22 < light < 32
    assert 9 < heavy < 18


@pytest.mark.parametrize(("lean", "width"), [(0.0, 1.0), (20.0, 1.5), (-30.0, 2.0)])
def test_covered_share_follows_the_density(lean: float, width: float) -> None:
    streaks = Streaks(0.5, lean, length_pixels=30.0, width_pixels=width, smooth_edges=False)
    layer = streak_layer((300, 300), streaks, np.random.default_rng(0))
    assert layer.dtype == np.float32
    assert layer.min() >= 0.0 and layer.max() <= 1.0
    assert np.mean(layer > 0) == pytest.approx(1 - np.exp(-0.5), abs=0.1)


def test_positive_lean_is_to_the_right_at_the_top() -> None:
    streaks = Streaks(0.02, 30.0, length_pixels=60.0)
    layer = streak_layer((200, 200), streaks, np.random.default_rng(0))
    one_up, shift = layer[:-10], 6
    right = np.mean(one_up[:, shift:] * layer[10:, :-shift])
    left = np.mean(one_up[:, :-shift] * layer[10:, shift:])
    assert right > 3 * left


def test_wrong_images_are_refused(clean: NDArray[np.uint8]) -> None:
    for wrong in (clean.astype(np.float32), clean[:, :, 0], clean[:, :, :2], clean[:0]):
        with pytest.raises(CalibrationError):
            rainy_from_clean(wrong, Rain(), 0)  # type: ignore[arg-type]


def test_wrong_settings_are_refused(clean: NDArray[np.uint8]) -> None:
    with pytest.raises(CalibrationError, match="drizzle"):
        sample_rain(np.random.default_rng(0), "drizzle")
    for streaks in (Streaks(-1.0), Streaks(1.0, length_pixels=0.0), Streaks(1.0, taper_steps=0)):
        with pytest.raises(CalibrationError):
            rainy_from_clean(clean, Rain((streaks,)), 0)
