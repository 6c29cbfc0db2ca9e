"""Chooses `amax`, the largest magnitude of a tensor that its quantised dtype still represents.

minmax clips nothing; percentile clips the rarest values; mse chooses the amax with the least
squared error of clipping and rounding together.
"""

import math
from typing import Literal

import numpy as np

from .ranges import BINS, Histogram

ClippingMethod = Literal["minmax", "percentile", "mse"]
PERCENTILE = 99.99
CANDIDATES = 100  # values of amax tried, from a tenth of the largest magnitude to all of it
MAGNITUDES = 128  # that INT8 represents, 0 to 127
# TensorRT-RTX writes a scale into the source of the kernels that use it, so each further scale is a
# further kernel: 233 of them made an engine larger than float16's (docs/decisions.md)
SCALES_PER_OCTAVE = 4


def amax_of(histogram: Histogram, method: ClippingMethod) -> float:
    """Return the magnitude to clip at; 0 where the tensor is all zeros."""
    if histogram.largest == 0.0 or method == "minmax":
        return histogram.largest
    if method == "percentile":
        return _percentile(histogram)
    candidates = histogram.largest * np.linspace(0.1, 1.0, CANDIDATES)
    errors = [_squared_error(histogram, amax) for amax in candidates]
    return float(candidates[int(np.argmin(errors))])


def shared_scale(scale: float) -> float:
    """Round a scale to one of few values, at most 9 % off, so that tensors share them."""
    return float(2.0 ** (round(math.log2(scale) * SCALES_PER_OCTAVE) / SCALES_PER_OCTAVE))


def _percentile(histogram: Histogram) -> float:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    bin_ = int(np.searchsorted(share, PERCENTILE / 100))
    return min((bin_ + 1) * histogram.top / BINS, histogram.largest)


def _squared_error(histogram: Histogram, amax: float) -> float:
    centres = histogram.centres
    scale = amax / (MAGNITUDES - 1)
    quantised = np.minimum(np.rint(centres / scale), MAGNITUDES - 1) * scale
    return float((histogram.counts * (centres - quantised) ** 2).sum())
