"""Runs the candidates in turn, round by round, and sums up their figures.

The candidates take turns, A B C A B C ..., so that a machine that slows down slows all of them.
Ratios are taken within a round, and their median is quoted. Figures of different runs are not
comparable.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from drsformer.context import QUIET, Context
from drsformer.contract import Batch, Image
from drsformer.errors import DRSformerError
from drsformer.metrics import psnr

from .candidates import CANDIDATES, Candidate, CandidateFiles
from .machine import Roofline
from .setting import BenchSetting
from .worker import Done, Ready, TimedRun, Worker


@dataclass(frozen=True)
class Comparison:
    """Which candidates are compared.

    Attributes:
        names: names of the candidates; PSNR refers to the first.
        baseline: the candidate that speed-ups refer to, one of `names`.
        files: the files that the candidates open.
    """

    names: Sequence[str]
    baseline: str
    files: CandidateFiles


@dataclass(frozen=True)
class CandidateResult:
    """One candidate's figures at one setting.

    Attributes:
        name: the name that users type.
        title: the name in the report.
        seconds: time from image to image in each round.
        median_seconds: median of `seconds`.
        fastest_seconds: least of `seconds`.
        slowest_seconds: largest of `seconds`.
        speedup: the baseline's seconds over this candidate's, median over rounds.
        speedup_range: the least and the largest speed-up of a round.
        megapixels_per_second: millions of pixels per second, at the median.
        outside_share: share of the time outside the network: scaling, padding, tiling, rounding.
        peak_bytes: the most memory that the process held.
        open_seconds: time to open and to run once.
        psnr_db: PSNR of the network's clamped float32 output against the first candidate's; None
            where they are equal.
        compute_share: share of the machine's peak arithmetic; None where the graph's operations are
            not known.
        bandwidth_share: share of the machine's copy bandwidth; None where the graph's bytes are not
            known.
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


@dataclass
class _Answers:
    """What the process of one candidate sent."""

    candidate: Candidate
    ready: Ready
    runs: list[TimedRun] = field(default_factory=list)
    done: Done | None = None


def measure(
    comparison: Comparison,
    image: Image,
    setting: BenchSetting,
    rooflines: Mapping[str, Roofline],
    context: Context = QUIET,
) -> list[CandidateResult]:
    """Run the candidates side by side.

    Args:
        comparison: which candidates run.
        image: the image that all of them derain.
        setting: threads, tiles and rounds.
        rooflines: what the network costs at this setting, by the file that candidates open.
        context: is told about progress.

    Returns:
        A result for each candidate, in the order of their names.

    Raises:
        DRSformerError: a candidate cannot be opened, fails, runs out of memory, or returns NaN or
            Inf.
    """
    with _workers(comparison.names) as workers:
        answers = {}
        # one at a time, since the time to open is a result too
        for name, worker in workers.items():
            context.step(f"opening {name}")
            worker.start(comparison.files, image, setting)
            answers[name] = _Answers(worker.candidate, worker.ready())
            if not np.isfinite(answers[name].ready.output).all():
                raise DRSformerError(f"{worker.candidate.title}: the output has NaN or Inf")
        _run_in_turn(workers, answers, setting, context)
        for name, worker in workers.items():
            answers[name].done = worker.stop()
    return [_result(name, answers, comparison, setting, rooflines) for name in comparison.names]


def psnr_of_clamped(output: Batch, reference: Batch) -> float | None:
    """Return the PSNR of two outputs clamped to [0, 1], dB; None where they are equal."""
    db = psnr(np.clip(output, 0, 1), np.clip(reference, 0, 1), peak=1.0)
    return None if db == math.inf else db


@contextmanager
def _workers(names: Sequence[str]) -> Iterator[dict[str, Worker]]:
    """Yield a worker for each name; whatever happens, all of them have ended afterwards."""
    workers = {name: Worker(CANDIDATES[name]) for name in names}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.kill()


def _run_in_turn(
    workers: Mapping[str, Worker],
    answers: Mapping[str, _Answers],
    setting: BenchSetting,
    context: Context,
) -> None:
    """Run every candidate once a round."""
    total = setting.rounds * len(workers)
    context.step(f"measuring {setting.title}")
    for round_ in range(setting.rounds):
        for number, (name, worker) in enumerate(workers.items()):
            context.advance(round_ * len(workers) + number, total)
            answers[name].runs.append(worker.run())


def _result(
    name: str,
    answers: Mapping[str, _Answers],
    comparison: Comparison,
    setting: BenchSetting,
    rooflines: Mapping[str, Roofline],
) -> CandidateResult:
    """Sum up one candidate's figures."""
    mine, base = answers[name], answers[comparison.baseline].runs
    assert mine.done is not None
    seconds = tuple(run.seconds for run in mine.runs)
    ratios = [other.seconds / run.seconds for other, run in zip(base, mine.runs, strict=True)]
    median = statistics.median(seconds)
    roofline = rooflines.get(mine.candidate.file)
    compute_share, bandwidth_share = None, None
    if roofline:
        bfloat16 = mine.candidate.precision == "bf16"
        compute_share, bandwidth_share = roofline.shares(median, bfloat16=bfloat16)
    return CandidateResult(
        name=name,
        title=mine.candidate.title,
        seconds=seconds,
        median_seconds=median,
        fastest_seconds=min(seconds),
        slowest_seconds=max(seconds),
        speedup=statistics.median(ratios),
        speedup_range=(min(ratios), max(ratios)),
        megapixels_per_second=setting.height * setting.width / 1e6 / median,
        outside_share=statistics.median(1 - run.network_seconds / run.seconds for run in mine.runs),
        peak_bytes=mine.done.peak_bytes,
        open_seconds=mine.ready.open_seconds + mine.ready.warm_seconds,
        psnr_db=psnr_of_clamped(mine.ready.output, answers[comparison.names[0]].ready.output),
        compute_share=compute_share,
        bandwidth_share=bandwidth_share,
    )
