"""What a lower precision costs, against the float32 model and against clean targets.

The lower model runs as `emulated` computes it, so a precision is judged the same on every machine,
and apart from what one runtime makes of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from drsformer.contract import CONTRACT, Batch, image_from_output, input_from_image
from drsformer.errors import CalibrationError
from drsformer.export.cpu_session import cpu_session
from drsformer.metrics import y_psnr, y_ssim

from ..crops import Sample
from .simulated_precision import emulated
from .top_k_masks import (
    Masks,
    flip_rate,
    with_selections_in,
    with_selections_out,
)


@dataclass(frozen=True)
class Quality:
    """What became of one image, or the mean over several.

    Attributes:
        psnr_db: of the output (clamped to [0, 1]) against float32's; inf where equal.
        imposed_psnr_db: the same with float32's top-k selection imposed: rounding alone.
        flip_rate: share of the selection's entries that differ, 0 to 1.
        max_levels: the largest difference of the 8-bit images, levels; over several, the largest.
        y_psnr_db: luma PSNR against the target, dB; None without one.
        y_psnr_drop_db: what of it was lost against float32, dB; None without a target.
        ssim_drop: likewise of SSIM.
    """

    psnr_db: float
    imposed_psnr_db: float | None
    flip_rate: float
    max_levels: int
    y_psnr_db: float | None = None
    y_psnr_drop_db: float | None = None
    ssim_drop: float | None = None


@dataclass(frozen=True)
class _Reference:
    output: Batch
    masks: Masks
    image: NDArray[np.uint8]
    y_psnr_db: float | None
    ssim: float | None


class Judge:
    """Compares models with one float32 model on the same images."""

    def __init__(
        self, reference: onnx.ModelProto, samples: Sequence[Sample], *, threads: int | None = None
    ) -> None:
        """Run the float32 model on every image.

        Raises:
            CalibrationError: there is no image, or the model gives NaN or Inf.
        """
        if not samples:
            raise CalibrationError("there is no image to judge by; give at least one")
        self.samples, self.threads = samples, threads
        session = cpu_session(with_selections_out(reference), threads, keep_copies=True)
        self._references = [self._reference(session, sample) for sample in samples]

    def judge(self, model: onnx.ModelProto, *, imposed: bool = True) -> list[Quality]:
        """Return a quality for each sample.

        Args:
            model: typed or float32, of the same network.
            imposed: also run with float32's selection imposed.

        Raises:
            CalibrationError: it gives NaN or Inf.
        """
        rounding = emulated(model)
        free = self._run(with_selections_out(rounding), [[] for _ in self.samples])
        for outputs, sample in zip(free, self.samples, strict=True):
            _check_finite(
                outputs[0], sample, "the lower precision", "try --bf16, or stay in float32"
            )
        fixed: list[list[Any]] = [[None] for _ in self.samples]
        if imposed:
            masks = [reference.masks for reference in self._references]
            fixed = self._run(with_selections_in(rounding), masks)
        return [
            self._quality(outputs, imposed_outputs[0], sample, reference)
            for outputs, imposed_outputs, sample, reference in zip(
                free, fixed, self.samples, self._references, strict=True
            )
        ]

    def _run(self, proto: onnx.ModelProto, more: Sequence[Masks]) -> list[list[Any]]:
        """Run a model on every sample, with further inputs; one session at a time is open."""
        session = cpu_session(proto, self.threads, keep_copies=True)
        names = [value.name for value in session.get_inputs()]
        return [
            _owned(
                session.run(
                    None, dict(zip(names, [input_from_image(sample.rainy), *masks], strict=True))
                )
            )
            for sample, masks in zip(self.samples, more, strict=True)
        ]

    def _reference(self, session: ort.InferenceSession, sample: Sample) -> _Reference:
        outputs = session.run(None, {CONTRACT.input_name: input_from_image(sample.rainy)})
        output, *masks = _owned(outputs)
        _check_finite(output, sample, "the float32 model", "validate it with `drs-export validate`")
        image = image_from_output(output, sample.rainy)
        if sample.clean is None:
            return _Reference(output, masks, image, None, None)
        return _Reference(
            output, masks, image, y_psnr(image, sample.clean), y_ssim(image, sample.clean)
        )

    def _quality(
        self, outputs: list[Any], imposed: Batch | None, sample: Sample, reference: _Reference
    ) -> Quality:
        output, *masks = outputs
        image = image_from_output(output, sample.rainy)
        quality = Quality(
            psnr_of(output, reference.output),
            None if imposed is None else psnr_of(imposed, reference.output),
            flip_rate(masks, reference.masks),
            int(np.abs(image.astype(int) - reference.image).max()),
        )
        if sample.clean is None or reference.y_psnr_db is None or reference.ssim is None:
            return quality
        found = y_psnr(image, sample.clean)
        return replace(
            quality,
            y_psnr_db=found,
            y_psnr_drop_db=reference.y_psnr_db - found,
            ssim_drop=reference.ssim - y_ssim(image, sample.clean),
        )


def mean_quality(rows: Sequence[Quality]) -> Quality:
    """Return the averages; of levels, the largest."""

    def mean(name: str) -> float | None:
        values = [getattr(row, name) for row in rows]
        return None if None in values else float(np.mean(values))

    return Quality(
        mean("psnr_db") or 0.0,
        mean("imposed_psnr_db"),
        mean("flip_rate") or 0.0,
        max(row.max_levels for row in rows),
        mean("y_psnr_db"),
        mean("y_psnr_drop_db"),
        mean("ssim_drop"),
    )


def psnr_of(a: Batch, b: Batch) -> float:
    """Return the PSNR of two outputs, clamped as the image will be, dB; inf where equal."""
    error = float(np.mean((np.clip(a, 0, 1).astype(np.float64) - np.clip(b, 0, 1)) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)


def _owned(outputs: Sequence[Any]) -> list[Any]:
    """Return copies: an output of ONNX Runtime keeps all memory of its session with it."""
    return [np.array(output) for output in outputs]


def _check_finite(output: Batch, sample: Sample, what: str, remedy: str) -> None:
    if not np.isfinite(output).all():
        raise CalibrationError(
            f"{what} gives NaN or Inf on {sample.name} ({sample.rainy.shape[1]} x "
            f"{sample.rainy.shape[0]} pixels); {remedy}"
        )
