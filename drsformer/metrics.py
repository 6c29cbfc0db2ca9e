"""PSNR, and PSNR and SSIM of the luma as the deraining literature's MATLAB scripts compute them.

    RGB uint8 -> rgb2ycbcr's Y, 16..235, rounded to whole levels
      -> PSNR, dB, against a peak of 255
      -> SSIM, 11x11 Gaussian window of 1.5 pixels, without its borders

`rgb2ycbcr` of a uint8 image rounds, which matters in the first decimal: on the authors' published
outputs the rounded luma gives their figures, and the unrounded one is up to 0.06 dB above. Only
numpy is needed here.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ShapeError

__all__ = ["PEAK", "Plane", "luma", "psnr", "ssim", "y_psnr", "y_ssim"]

PEAK = 255.0
_LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / PEAK
_LUMA_OFFSET = 16.0
_WINDOW = 11  # pixels
_SIGMA = 1.5  # pixels
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2
_WEIGHTS = np.exp(-((np.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
_WEIGHTS /= _WEIGHTS.sum()  # of the window's rows, and of its columns

Plane = NDArray[np.float64]  # (H, W)


def psnr(a: NDArray[Any], b: NDArray[Any], peak: float = PEAK) -> float:
    """Return the peak signal-to-noise ratio, dB; infinite where the two are equal.

    Args:
        a: any numbers.
        b: numbers of the same shape.
        peak: the largest value that a sample can have.

    Raises:
        ShapeError: the shapes differ.
    """
    _check_same_shape(a, b)
    error = float(np.mean(np.square(a.astype(np.float64) - b.astype(np.float64))))
    return math.inf if error == 0.0 else 10.0 * math.log10(peak**2 / error)


def luma(image: NDArray[np.uint8]) -> Plane:
    """Return MATLAB's Y of an image.

    Args:
        image: uint8 (H, W, 3), RGB.

    Returns:
        float64 (H, W), whole numbers 16..235.

    Raises:
        ShapeError: the image has another dtype or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(
            f"luma of {image.dtype} {image.shape}; expected uint8 (height, width, 3), RGB"
        )
    levels: Plane = image.astype(np.float64) @ _LUMA_WEIGHTS + _LUMA_OFFSET
    # MATLAB rounds halves up, numpy would round them to even
    return np.floor(levels + 0.5)


def y_psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the PSNR of two images' luma, dB; arguments as for `luma`."""
    return psnr(luma(a), luma(b))


def y_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the structural similarity of two images' luma, -1 to 1; arguments as for `luma`."""
    return ssim(luma(a), luma(b))


def ssim(a: Plane, b: Plane) -> float:
    """Return the mean structural similarity of two planes with values 0..255.

    Raises:
        ShapeError: the shapes differ, or a side is shorter than the window.
    """
    _check_same_shape(a, b)
    if min(a.shape) < _WINDOW:
        raise ShapeError(f"SSIM of {a.shape}; expected at least {_WINDOW} x {_WINDOW} pixels")
    mean_a, mean_b = _local_mean(a), _local_mean(b)
    variance_a = _local_mean(a * a) - mean_a**2
    variance_b = _local_mean(b * b) - mean_b**2
    covariance = _local_mean(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    whole = (mean_a**2 + mean_b**2 + _C1) * (variance_a + variance_b + _C2)
    return float(np.mean(alike / whole))


def _local_mean(plane: Plane) -> Plane:
    """Return the Gaussian mean of each window that lies inside the plane: (H - 10, W - 10)."""
    height, width = (side - _WINDOW + 1 for side in plane.shape)
    rows: Plane = sum(weight * plane[i : i + height] for i, weight in enumerate(_WEIGHTS))
    mean: Plane = sum(weight * rows[:, i : i + width] for i, weight in enumerate(_WEIGHTS))
    return mean


def _check_same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise ShapeError(f"shapes {a.shape} and {b.shape} differ; expected images of one size")
