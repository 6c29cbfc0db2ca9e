"""What the machine can do at best, measured in the same run as the candidates."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

MATRIX_SIDE = 2048
COPIED_BYTES = 2**28  # far more than a cache holds
REPEATS = 7
NUMPY_THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Peaks:
    """The most that the machine reached in several tries.

    Attributes:
        float32_macs: multiply-accumulates per second of a large float32 matrix product.
        bfloat16_macs: multiply-accumulates per second of a large bfloat16 matrix product.
        copy_bytes: bytes read and written per second by a large copy.
    """

    float32_macs: float
    bfloat16_macs: float
    copy_bytes: float


@dataclass(frozen=True)
class Roofline:
    """The least that a graph has to do for one image, and the most that the machine can do.

    Attributes:
        macs: multiply-accumulates of one image.
        float32_bytes: bytes read and written for one image, in float32.
        peaks: what the machine can do per second.
    """

    macs: int
    float32_bytes: int
    peaks: Peaks

    def shares(self, seconds: float, *, bfloat16: bool) -> tuple[float, float]:
        """Return the shares of peak arithmetic and peak bandwidth that one image reaches.

        Args:
            seconds: the time that one image takes.
            bfloat16: whether the candidate computes in bfloat16.
        """
        peak_macs = self.peaks.bfloat16_macs if bfloat16 else self.peaks.float32_macs
        moved = self.float32_bytes / (2 if bfloat16 else 1)
        return self.macs / seconds / peak_macs, moved / seconds / self.peaks.copy_bytes


def machine_peaks(threads: int) -> Peaks:
    """Measure the peaks in another process: the caller's threads and memory stay as they are."""
    former = os.environ.get(NUMPY_THREADS)
    os.environ[NUMPY_THREADS] = str(threads)  # NumPy reads it once, when the process starts
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_measure, (threads,))
    finally:
        os.environ.pop(NUMPY_THREADS)
        if former is not None:
            os.environ[NUMPY_THREADS] = former


def _measure(threads: int) -> Peaks:
    import torch

    torch.set_num_threads(threads)
    square = torch.rand(MATRIX_SIDE, MATRIX_SIDE)
    half = square.bfloat16()
    source = torch.zeros(COPIED_BYTES // 4)
    target = torch.zeros_like(source)
    array = square.numpy()
    macs = MATRIX_SIDE**3
    return Peaks(
        # the better of PyTorch and NumPy, since one of them may be slow on this processor
        float32_macs=macs / min(_best(lambda: square @ square), _best(lambda: array @ array)),
        bfloat16_macs=macs / _best(lambda: half @ half),
        copy_bytes=2 * COPIED_BYTES / _best(lambda: target.copy_(source)),
    )


def _best(run: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several runs, after one that is not counted."""
    seconds = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
