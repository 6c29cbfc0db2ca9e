"""What the machine can do at best, measured in the same run as the contenders."""

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
    """Best of several tries.

    Attributes:
        float32_macs: multiply-accumulates per second of a large float32 matrix product.
        bfloat16_macs: of a bfloat16 one.
        copy_bytes: bytes read and written per second by a large copy.
    """

    float32_macs: float
    bfloat16_macs: float
    copy_bytes: float


def machine_peaks(threads: int) -> Peaks:
    """Measure in a process of its own, so that the caller's threads and memory stay as they are."""
    former = os.environ.get(NUMPY_THREADS)
    os.environ[NUMPY_THREADS] = str(threads)  # read once, when the process starts
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
        # two libraries, of which one may neglect this processor
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
