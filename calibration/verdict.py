"""The table that ends every conversion: what it cost, what it gained, and what to think of it."""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from drsformer.contract import input_from_image
from drsformer.errors import DRSformerError
from drsformer.runtime.session import Session

from .quality import Judge, Quality, mean_quality
from .samples import Pixels

ROUNDS = 3
TIMED_SIDE = 256  # pixels, at most
RUNTIMES = ("onnxruntime", "openvino")
NOTICEABLE_DROP_DB = 0.1
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
    """

    precision: str
    size_bytes: int
    quality: Quality | None
    speed: dict[str, float | None]


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
    speeds = speed_of(models, judge.samples[0].rainy, threads=threads)
    lines = tuple(
        Line(name, model.ByteSize(), qualities[name], speeds[name])
        for name, model in models.items()
    )
    return Verdict(lines, tuple(sample.name for sample in judge.samples), tuple(_words(lines)))


def speed_of(
    models: Mapping[str, onnx.ModelProto], image: Pixels, *, threads: int | None = None
) -> dict[str, dict[str, float | None]]:
    """Run models in turn and return how many times faster than the first each is, by runtime."""
    batch = input_from_image(image[:TIMED_SIDE, :TIMED_SIDE])
    speeds: dict[str, dict[str, float | None]] = {name: {} for name in models}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            (Path(folder) / f"{name}.onnx").write_bytes(model.SerializeToString())
        for runtime in RUNTIMES:
            seconds = _seconds(Path(folder), list(models), runtime, batch, threads)
            base = seconds[next(iter(models))]
            for name in models:
                own = seconds[name]
                speeds[name][runtime] = (
                    statistics.median(a / b for a, b in zip(base, own, strict=True))
                    if base and own
                    else None
                )
    return speeds


def _seconds(
    folder: Path, names: Sequence[str], runtime: str, batch: Any, threads: int | None
) -> dict[str, list[float]]:
    provider = "cpu" if runtime == "onnxruntime" else runtime
    sessions: dict[str, Session] = {}
    for name in names:
        try:
            session = Session(folder / f"{name}.onnx", provider, threads)
            session.run(batch)  # to warm up, and to see whether it can
        except DRSformerError:
            continue
        sessions[name] = session
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(batch)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _words(lines: Sequence[Line]) -> list[str]:
    """Compare each precision with the next higher one."""
    said = []
    for higher, lower in zip(lines, lines[1:], strict=False):
        assert lower.quality is not None
        before = higher.quality.y_psnr_drop_db if higher.quality else 0.0
        after = lower.quality.y_psnr_drop_db
        if before is not None and after is not None and after - before > NOTICEABLE_DROP_DB:
            said.append(
                f"{lower.precision} loses {after - before:.2f} dB against {higher.precision}: "
                "look at the pictures before you use it"
            )
        for runtime in RUNTIMES:
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
