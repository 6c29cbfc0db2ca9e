"""Chooses `amax`, the largest magnitude of a tensor that its quantised dtype still represents.

minmax clips nothing; percentile clips the rarest values; mse chooses the amax with the least
squared error of clipping and rounding together.
"""

import math
from typing import Literal

import numpy as np

from .quantize import QuantizedDtype, quantized_values
from .ranges import BINS, Histogram

ClippingMethod = Literal["minmax", "percentile", "mse"]
PERCENTILE = 99.99
CANDIDATES = 100  # values of amax tried, from a tenth of the largest magnitude to all of it
# TensorRT-RTX writes a scale into the source of the kernels that use it, so each further scale is a
# further kernel: 233 of them made an engine larger than float16's (docs/decisions.md)
SCALES_PER_OCTAVE = 4


def amax_of(histogram: Histogram, method: ClippingMethod, dtype: QuantizedDtype) -> float:
    """Return the magnitude to clip at; 0 where the tensor is all zeros.

    Args:
        histogram: magnitudes of the tensor.
        method: how to choose.
        dtype: what will be quantised to; mse rounds as this type does.
    """
    if histogram.largest == 0.0 or method == "minmax":
        return histogram.largest
    if method == "percentile":
        return _percentile(histogram)
    candidates = histogram.largest * np.linspace(0.1, 1.0, CANDIDATES)
    errors = [_squared_error(histogram, amax, dtype) for amax in candidates]
    return float(candidates[int(np.argmin(errors))])


def shared_scale(scale: float) -> float:
    """Round a scale to one of few values, at most 9 % off, so that tensors share them."""
    return float(2.0 ** (round(math.log2(scale) * SCALES_PER_OCTAVE) / SCALES_PER_OCTAVE))


def _percentile(histogram: Histogram) -> float:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    bin_ = int(np.searchsorted(share, PERCENTILE / 100))
    return min((bin_ + 1) * histogram.top / BINS, histogram.largest)


def _squared_error(histogram: Histogram, amax: float, dtype: QuantizedDtype) -> float:
    centres, scale = histogram.centres, np.float64(amax / dtype.largest)
    restored = quantized_values(centres, scale, dtype).astype(np.float64) * scale
    return float((histogram.counts * (centres - restored) ** 2).sum())
