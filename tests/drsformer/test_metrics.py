"""The metrics are those of the literature's MATLAB scripts."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from drsformer import metrics
from drsformer.errors import ShapeError
from drsformer.metrics import luma, psnr, ssim, y_psnr, y_ssim

from ..samples import noise


@pytest.mark.parametrize(
    ("rgb", "level"),
    [
        # MATLAB's documentation: black is 16, white is 235
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        # 16 + 65.481, 128.553 and 24.966, rounded
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
    ],
)
def test_luma_is_matlabs_and_rounded(rgb: tuple[int, int, int], level: int) -> None:
    assert luma(np.full((1, 1, 3), rgb, np.uint8))[0, 0] == level


def test_psnr_of_one_level_everywhere_is_48_db() -> None:
    a = np.zeros((4, 5))
    assert psnr(a, a + 1) == pytest.approx(20 * math.log10(255))


def test_psnr_follows_the_peak() -> None:
    a = np.zeros((4, 5), np.float32)
    assert psnr(a, a + 0.1, peak=1.0) == pytest.approx(20.0)


def test_unsigned_differences_do_not_wrap_around() -> None:
    a, b = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)
    assert psnr(a, b) == psnr(b, a) == 0.0


def test_psnr_of_equal_images_is_infinite() -> None:
    assert y_psnr(noise(12, 13), noise(12, 13)) == math.inf


def test_ssim_of_equal_images_is_one() -> None:
    assert y_ssim(noise(12, 13), noise(12, 13)) == pytest.approx(1.0)


def test_ssim_is_scikit_images_gaussian_one_without_borders() -> None:
    clean = noise(37, 53)
    rainy = np.clip(clean.astype(int) + 20, 0, 255).astype(np.uint8)
    _, per_pixel = structural_similarity(
        luma(rainy),
        luma(clean),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        truncate=3.5,  # radius 5: the 11x11 window
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(luma(rainy), luma(clean)) == pytest.approx(per_pixel[5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_is_that_of_opencvs_gaussian_window(monkeypatch: pytest.MonkeyPatch) -> None:
    def opencv(plane: metrics.Plane) -> metrics.Plane:
        kernel = cv2.getGaussianKernel(11, 1.5)
        return cv2.sepFilter2D(plane, -1, kernel, kernel)[5:-5, 5:-5]

    planes = luma(noise(37, 53)), luma(noise(37, 53)[::-1])
    found = ssim(*planes)
    monkeypatch.setattr(metrics, "_local_mean", opencv)
    assert found == pytest.approx(ssim(*planes), abs=1e-12)


def test_images_of_two_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="differ"):
        y_psnr(noise(12, 13), noise(13, 12))


def test_an_image_below_the_window_has_no_ssim() -> None:
    with pytest.raises(ShapeError, match="at least 11 x 11"):
        y_ssim(noise(10, 40), noise(10, 40))


def test_16_bit_images_have_no_8_bit_luma() -> None:
    with pytest.raises(ShapeError, match="uint16"):
        luma(noise(12, 13, np.uint16))
