"""From the magnitudes of a tensor to the largest that the grid reaches.

minmax clips nothing; percentile clips the rarest values; mse weighs clipping against coarser steps
by squared error; entropy by Kullback-Leibler divergence, as TensorRT's old calibrators did.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .ranges import BINS, Histogram

Method = Literal["minmax", "percentile", "mse", "entropy"]
PERCENTILE = 99.99
CANDIDATES = 100  # clipping points tried between a tenth of the largest magnitude and all of it
STEPS = 128  # of the grid, half of it
# TensorRT-RTX writes a scale into the source of the kernels that use it, so each further scale is a
# further kernel: 233 of them made an engine larger than float16's (docs/decisions.md)
SHARED_PER_OCTAVE = 4


def clip_of(histogram: Histogram, method: Method) -> float:
    """Return the magnitude to clip at; 0 where the tensor is all zeros."""
    if histogram.largest == 0.0 or method == "minmax":
        return histogram.largest
    if method == "percentile":
        return _percentile(histogram)
    tried = histogram.largest * np.linspace(0.1, 1.0, CANDIDATES)
    cost = _squared_error if method == "mse" else _divergence
    return float(tried[int(np.argmin([cost(histogram, clip) for clip in tried]))])


def shared_step(step: float) -> float:
    """Return the nearest of few step sizes, at most 9 % off: tensors share them."""
    return float(2.0 ** (round(math.log2(step) * SHARED_PER_OCTAVE) / SHARED_PER_OCTAVE))


def _percentile(histogram: Histogram) -> float:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    bin_ = int(np.searchsorted(share, PERCENTILE / 100))
    return min((bin_ + 1) * histogram.top / BINS, histogram.largest)


def _squared_error(histogram: Histogram, clip: float) -> float:
    centres = histogram.centres
    step = clip / (STEPS - 1)
    on_grid = np.minimum(np.rint(centres / step), STEPS - 1) * step
    return float((histogram.counts * (centres - on_grid) ** 2).sum())


def _divergence(histogram: Histogram, clip: float) -> float:
    """Divergence of the clipped histogram from itself on the grid."""
    kept = max(STEPS, int(np.ceil(clip / histogram.top * BINS)))
    true = histogram.counts[:kept].astype(np.float64)
    coarse = _coarse(true)
    true[-1] += histogram.counts[kept:].sum()
    seen = true > 0
    p, q = true[seen] / true.sum(), np.maximum(coarse[seen], 1e-9) / max(coarse.sum(), 1e-9)
    return float((p * np.log(p / q)).sum())


def _coarse(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread each grid step's count evenly over its bins that hold something."""
    step = np.arange(counts.size) * STEPS // counts.size
    sums = np.bincount(step, counts, STEPS)
    filled = np.bincount(step, counts > 0, STEPS)
    spread = sums / np.maximum(filled, 1)
    return np.where(counts > 0, spread[step], 0.0)
