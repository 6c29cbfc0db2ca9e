"""The table that ends every conversion: what it cost, what it gained, and what to think of it."""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from drsformer.contract import image_from_output, input_from_image
from drsformer.errors import DRSformerError
from drsformer.runtime.model import Model
from drsformer.runtime.options import RunOptions

from ..crops import Pixels
from .evaluator import Judge, Quality, mean_quality

ROUNDS = 3
TIMED_SIDE = 256  # pixels, at most
RUNTIMES = ("onnxruntime", "openvino")
NOTICEABLE_DROP_DB = 0.1
MOST_LEVELS_APART = 16  # top-k flips alone reach a few
SLOWER = 0.98  # below this ratio we say that it is slower; above, timings cannot tell

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """One precision.

    Attributes:
        precision: "fp32" or what was converted to.
        size_bytes: of the file.
        quality: the mean over the images; None for float32 itself.
        speed: how many times faster than float32 in the same runtime and run, by runtime; None
            where that runtime cannot run it or is not installed.
        levels_apart: largest difference of the runtimes' images of this file, 8-bit levels; None
            where only one of them runs it.
    """

    precision: str
    size_bytes: int
    quality: Quality | None
    speed: dict[str, float | None]
    levels_apart: int | None


@dataclass(frozen=True)
class Verdict:
    """Lines from float32 down, and what they say in words."""

    lines: tuple[Line, ...]
    images: tuple[str, ...]
    words: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for a JSON file; an infinite PSNR becomes null."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(v) for key, v in value.items()}
            if isinstance(value, list | tuple):
                return [plain(v) for v in value]
            return None if isinstance(value, float) and math.isinf(value) else value

        made: dict[str, Any] = plain(asdict(self))
        return made


def verdict(
    models: Mapping[str, onnx.ModelProto],
    judge: Judge,
    *,
    threads: int | None = None,
    on_step: OnStep = lambda step: None,
) -> Verdict:
    """Judge and time models, the first being the float32 one, each next one lower.

    Raises:
        CalibrationError: one of them gives NaN or Inf on an image.
    """
    (reference, *_) = models
    qualities: dict[str, Quality | None] = {reference: None}
    for name, model in models.items():
        if name != reference:
            on_step(f"judging {name}")
            qualities[name] = mean_quality(judge.judge(model))
    on_step("timing")
    speeds, apart = in_runtimes(models, judge.samples[0].rainy, threads=threads)
    lines = tuple(
        Line(name, model.ByteSize(), qualities[name], speeds[name], apart[name])
        for name, model in models.items()
    )
    return Verdict(lines, tuple(sample.name for sample in judge.samples), tuple(_words(lines)))


def in_runtimes(
    models: Mapping[str, onnx.ModelProto], image: Pixels, *, threads: int | None = None
) -> tuple[dict[str, dict[str, float | None]], dict[str, int | None]]:
    """Run models in turn, in each runtime.

    Args:
        models: the first is what speeds refer to.
        image: uint8 (H, W, 3), RGB; its top left corner is run.
        threads: of each runtime; by default all cores.

    Returns:
        By model: how many times faster than the first it is in each runtime, and how far apart
        the runtimes' images are, 8-bit levels (see `Line`).
    """
    crop = image[:TIMED_SIDE, :TIMED_SIDE]
    speeds: dict[str, dict[str, float | None]] = {name: {} for name in models}
    images: dict[str, list[Pixels]] = {name: [] for name in models}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            (Path(folder) / f"{name}.onnx").write_bytes(model.SerializeToString())
        for runtime in RUNTIMES:
            runs = _runs(Path(folder), list(models), runtime, crop, threads)
            base = runs.get(next(iter(models)))
            for name in models:
                own = runs.get(name)
                speeds[name][runtime] = _ratio(base, own) if base and own else None
                images[name] += [own.image] if own else []
    return speeds, {name: _apart(found) for name, found in images.items()}


@dataclass(frozen=True)
class _Run:
    image: Pixels
    seconds: list[float]


def _runs(
    folder: Path, names: Sequence[str], runtime: str, crop: Pixels, threads: int | None
) -> dict[str, _Run]:
    """Run the models that a runtime can run, in turn; the first run of each is not timed."""
    provider = "cpu" if runtime == "onnxruntime" else runtime
    batch = input_from_image(crop)
    sessions: dict[str, Model] = {}
    runs: dict[str, _Run] = {}
    for name in names:
        try:
            session = Model(folder / f"{name}.onnx", RunOptions(provider, threads))
            derained = image_from_output(session.run(batch), crop)
        except DRSformerError:
            continue
        sessions[name] = session
        runs[name] = _Run(np.asarray(derained, np.uint8), [])
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(batch)
            runs[name].seconds.append(time.perf_counter() - start)
    return runs


def _ratio(base: _Run, own: _Run) -> float:
    return statistics.median(a / b for a, b in zip(base.seconds, own.seconds, strict=True))


def _apart(images: Sequence[Pixels]) -> int | None:
    if len(images) < len(RUNTIMES):
        return None
    return int(np.abs(images[0].astype(int) - images[1]).max())


def _words(lines: Sequence[Line]) -> list[str]:
    """Compare each precision with the next higher one, in the runtimes that run float32 here."""
    said = []
    runtimes = [runtime for runtime in RUNTIMES if lines[0].speed[runtime] is not None]
    for higher, lower in zip(lines, lines[1:], strict=False):
        assert lower.quality is not None
        before = higher.quality.y_psnr_drop_db if higher.quality else 0.0
        after = lower.quality.y_psnr_drop_db
        if before is not None and after is not None and after - before > NOTICEABLE_DROP_DB:
            said.append(
                f"{lower.precision} loses {after - before:.2f} dB against {higher.precision}: "
                "look at the pictures before you use it"
            )
        if lower.levels_apart is not None and lower.levels_apart > MOST_LEVELS_APART:
            said.append(
                f"{' and '.join(RUNTIMES)} give {lower.precision} images that differ by up to "
                f"{lower.levels_apart} levels: one of them computes the file wrongly"
            )
        for runtime in runtimes:
            said += _speed_words(higher, lower, runtime)
    return said or ["nothing speaks against it"]


def _speed_words(higher: Line, lower: Line, runtime: str) -> list[str]:
    ours, theirs = lower.speed[runtime], higher.speed[runtime]
    if ours is None:
        return [f"{lower.precision} does not run in {runtime} here"]
    if theirs is None or ours >= SLOWER * theirs:
        return []
    return [
        f"{lower.precision} is slower than {higher.precision} in {runtime} on this CPU "
        f"({ours / theirs:.2f} times its speed): it pays on a GPU, or in file size"
    ]
