"""The contenders in turn, round by round, and what the figures come to.

Round by round, A B C A B C ..., so that a machine that slows down slows all; ratios are taken
within a round and their median is quoted. Figures of different runs are not comparable.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from drsformer.contract import Batch, Image

from .candidates import CONTENDERS, Files
from .machine import Peaks
from .worker import Done, Ready, Run, Worker

OnRun = Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """One thing to measure.

    Attributes:
        height: of the image, pixels.
        width: likewise.
        threads: of each contender.
        tile: side of tiles, pixels; None for whole images.
        rounds: how often each contender runs, after its warm-up.
    """

    height: int
    width: int
    threads: int
    tile: int | None
    rounds: int


@dataclass(frozen=True)
class Result:
    """One contender's figures at one setting.

    Attributes:
        name: the contender's.
        title: for people.
        seconds: of each round, image to image.
        median_seconds: of these.
        fastest_seconds: likewise.
        slowest_seconds: likewise.
        speedup: the baseline's seconds over this one's, median over rounds.
        speedup_range: the least and the most of any round.
        megapixels_per_second: at the median.
        outside_share: of the time spent outside the network: scaling, padding, tiling, rounding.
        peak_bytes: the most memory its process held.
        open_seconds: until it was open and had run once.
        psnr_db: of the network's output, clamped, against the first contender's, in float32;
            None where they are equal.
        compute_share: of the machine's peak multiply-accumulates, None where the count is unknown.
        bandwidth_share: of the machine's copy bandwidth, likewise.
    """

    name: str
    title: str
    seconds: tuple[float, ...]
    median_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    speedup: float
    speedup_range: tuple[float, float]
    megapixels_per_second: float
    outside_share: float
    peak_bytes: int
    open_seconds: float
    psnr_db: float | None
    compute_share: float | None
    bandwidth_share: float | None


@dataclass(frozen=True)
class Floor:
    """What a graph has to do at least, for one image.

    Attributes:
        macs: multiply-accumulates.
        float32_bytes: read and written, in float32.
    """

    macs: int
    float32_bytes: int


def measure(
    names: Sequence[str],
    files: Files,
    image: Image,
    setting: Setting,
    *,
    baseline: str,
    peaks: Peaks,
    floors: Mapping[str, Floor],
    on_run: OnRun,
) -> list[Result]:
    """Run contenders side by side.

    Args:
        names: of contenders; PSNR is against the first.
        files: what they open.
        image: what they all derain.
        setting: how.
        baseline: the contender that speed-ups refer to, one of `names`.
        peaks: what the machine can do.
        floors: what the network costs at this setting, by the file that contenders open.
        on_run: told the name of each contender before it runs.

    Returns:
        A result for each name, in their order.

    Raises:
        DRSformerError: a contender cannot be opened, fails or runs out of memory.
    """
    with _workers(names) as workers:
        ready = {}
        for name, worker in workers.items():  # one after the other: a warm-up is timed too
            on_run(name)
            worker.start(files, image, setting.threads, setting.tile)
            ready[name] = worker.ready()
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for _ in range(setting.rounds):
            for name, worker in workers.items():
                on_run(name)
                runs[name].append(worker.run())
        done = {name: worker.stop() for name, worker in workers.items()}
    first = ready[names[0]].output
    return [
        _result(
            name,
            runs[name],
            runs[baseline],
            ready[name],
            done[name],
            psnr_of_outputs(ready[name].output, first),
            peaks,
            floors.get(CONTENDERS[name].file),
            pixels=setting.height * setting.width,
        )
        for name in names
    ]


@contextmanager
def _workers(names: Sequence[str]) -> Iterator[dict[str, Worker]]:
    """Yield a worker for each name; whatever happens, none of them outlives the caller."""
    workers = {name: Worker(CONTENDERS[name]) for name in names}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.kill()


def _result(
    name: str,
    runs: Sequence[Run],
    baseline: Sequence[Run],
    ready: Ready,
    done: Done,
    psnr_db: float | None,
    peaks: Peaks,
    floor: Floor | None,
    *,
    pixels: int,
) -> Result:
    contender = CONTENDERS[name]
    seconds = tuple(run.seconds for run in runs)
    ratios = [theirs.seconds / run.seconds for theirs, run in zip(baseline, runs, strict=True)]
    median = statistics.median(seconds)
    half = contender.precision == "bf16"
    moved = floor.float32_bytes / (2 if half else 1) if floor else 0
    peak_macs = peaks.bfloat16_macs if half else peaks.float32_macs
    return Result(
        name=name,
        title=contender.title,
        seconds=seconds,
        median_seconds=median,
        fastest_seconds=min(seconds),
        slowest_seconds=max(seconds),
        speedup=statistics.median(ratios),
        speedup_range=(min(ratios), max(ratios)),
        megapixels_per_second=pixels / 1e6 / median,
        outside_share=statistics.median(1 - run.network_seconds / run.seconds for run in runs),
        peak_bytes=done.peak_bytes,
        open_seconds=ready.open_seconds + ready.warm_seconds,
        psnr_db=psnr_db,
        compute_share=floor.macs / median / peak_macs if floor else None,
        bandwidth_share=moved / median / peaks.copy_bytes if floor else None,
    )


def psnr_of_outputs(output: Batch, reference: Batch) -> float | None:
    """PSNR of two outputs, clamped to [0, 1], dB; None where they are equal."""
    a, b = (np.clip(x, 0, 1).astype(np.float64) for x in (output, reference))
    error = float(np.mean((a - b) ** 2))
    return None if error == 0 else float(-10 * np.log10(error))
