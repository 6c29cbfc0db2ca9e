"""The report of a conversion: what a precision costs, how fast it is, and remarks on both."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from drsformer.context import QUIET, Context
from drsformer.contract import image_from_output, input_from_image
from drsformer.errors import DRSformerError
from drsformer.runtime.model import Model
from drsformer.runtime.options import RunOptions

from ..crops import RGB
from .evaluator import Evaluator, Quality, mean_quality

ROUNDS = 3
TIMED_SIDE = 256  # pixels, at most
RUNTIMES = ("onnxruntime", "openvino")
NOTICEABLE_DROP_DB = 0.1
MOST_DIFFERENCE = 16  # between two runtimes, of 255; a top-k mismatch alone reaches a few
NO_REGRESSION = "no regression found"
SLOWER = 0.98  # a ratio of speeds below this is called slower; timings cannot tell the rest


@dataclass(frozen=True)
class Line:
    """One precision in the report.

    Attributes:
        precision: "fp32" or a lower one.
        size_bytes: of the file.
        quality: the mean over the images; None for fp32 itself.
        speed: by runtime, how many times faster than fp32 in the same runtime and run; None where
            that runtime cannot run it or is not installed.
        runtime_difference: largest difference of the runtimes' images of this file, of 255; None
            where only one of them runs it.
    """

    precision: str
    size_bytes: int
    quality: Quality | None
    speed: dict[str, float | None]
    runtime_difference: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "quality": None if self.quality is None else self.quality.to_dict(),
            "speed": self.speed,
            "levels_apart": self.runtime_difference,
        }


@dataclass(frozen=True)
class ConversionReport:
    """What was measured of a conversion.

    Attributes:
        lines: one for each precision, from fp32 down.
        images: names of the images that were measured with.
        remarks: what the user should know before using the file; empty if nothing stood out.
    """

    lines: tuple[Line, ...]
    images: tuple[str, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file; its keys are those of version 0.1.0."""
        return {
            "lines": [line.to_dict() for line in self.lines],
            "images": list(self.images),
            "words": list(self.remarks) or [NO_REGRESSION],
        }


def measured_report(
    models: Mapping[str, onnx.ModelProto],
    evaluator: Evaluator,
    *,
    timed: bool = True,
    with_fp32_top_k: bool = True,
    threads: int | None = None,
    context: Context = QUIET,
) -> ConversionReport:
    """Measure models: the float32 one first, then each lower precision.

    Args:
        models: by precision.
        evaluator: opened on the float32 model.
        timed: whether to time them in the CPU runtimes too, and compare the runtimes' images.
        with_fp32_top_k: whether to measure them with float32's top-k masks too.
        threads: of each runtime; by default all cores.
        context: told the progress.

    Raises:
        CalibrationError: one of them gives NaN or Inf on an image.
    """
    (reference, *lower) = models
    qualities: dict[str, Quality | None] = {reference: None}
    for name in lower:
        context.step(f"measuring {name}")
        measured = evaluator.evaluate(models[name], with_fp32_top_k=with_fp32_top_k)
        qualities[name] = mean_quality(measured)
    speeds: dict[str, dict[str, float | None]] = {name: dict.fromkeys(RUNTIMES) for name in models}
    differences: dict[str, int | None] = dict.fromkeys(models)
    if timed:
        context.step("timing")
        speeds, differences = in_runtimes(models, evaluator.samples[0].rainy, threads=threads)
    lines = tuple(
        Line(name, model.ByteSize(), qualities[name], speeds[name], differences[name])
        for name, model in models.items()
    )
    images = tuple(sample.name for sample in evaluator.samples)
    return ConversionReport(lines, images, tuple(remarks_on(lines)))


def in_runtimes(
    models: Mapping[str, onnx.ModelProto], image: RGB, *, threads: int | None = None
) -> tuple[dict[str, dict[str, float | None]], dict[str, int | None]]:
    """Run models in turn, in each runtime.

    Args:
        models: by name; speeds refer to the first.
        image: uint8 (H, W, 3), RGB; its top left corner is run.
        threads: of each runtime; by default all cores.

    Returns:
        By model: how many times faster than the first it is in each runtime, and the largest
        difference between the runtimes' images, of 255 (see `Line`).
    """
    crop = image[:TIMED_SIDE, :TIMED_SIDE]
    speeds: dict[str, dict[str, float | None]] = {name: {} for name in models}
    images: dict[str, list[RGB]] = {name: [] for name in models}
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
    return speeds, {name: _difference(found) for name, found in images.items()}


@dataclass(frozen=True)
class _Run:
    image: RGB
    seconds: list[float]


def _runs(
    folder: Path, names: Sequence[str], runtime: str, crop: RGB, threads: int | None
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


def _difference(images: Sequence[RGB]) -> int | None:
    if len(images) < len(RUNTIMES):
        return None
    return int(np.abs(images[0].astype(int) - images[1]).max())


def remarks_on(lines: Sequence[Line]) -> list[str]:
    """Compare each precision with the next higher one, in the runtimes that run fp32 here."""
    remarks = []
    runtimes = [runtime for runtime in RUNTIMES if lines[0].speed[runtime] is not None]
    for higher, lower in zip(lines, lines[1:], strict=False):
        assert lower.quality is not None
        before = higher.quality.y_psnr_drop_db if higher.quality else 0.0
        after = lower.quality.y_psnr_drop_db
        if before is not None and after is not None and after - before > NOTICEABLE_DROP_DB:
            remarks.append(
                f"{lower.precision} loses {after - before:.2f} dB against {higher.precision}: "
                "look at the pictures before you use it"
            )
        if lower.runtime_difference is not None and lower.runtime_difference > MOST_DIFFERENCE:
            remarks.append(
                f"{' and '.join(RUNTIMES)} give {lower.precision} images that differ by up to "
                f"{lower.runtime_difference} of 255: one of them computes the file wrongly"
            )
        for runtime in runtimes:
            remarks += _remarks_on_speed(higher, lower, runtime)
    return remarks


def _remarks_on_speed(higher: Line, lower: Line, runtime: str) -> list[str]:
    own, base = lower.speed[runtime], higher.speed[runtime]
    if own is None:
        return [f"{lower.precision} does not run in {runtime} here"]
    if base is None or own >= SLOWER * base:
        return []
    return [
        f"{lower.precision} is slower than {higher.precision} in {runtime} on this CPU "
        f"({own / base:.2f} times its speed); it pays on a GPU, or in file size"
    ]
