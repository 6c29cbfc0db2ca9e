"""What a lower precision costs on images, against the float32 model and against clean targets.

The lower model runs in simulated precision, so the result is the same on every machine and does
not depend on how one runtime computes the file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from drsformer.contract import (
    CONTRACT,
    Batch,
    Image,
    image_from_output,
    input_from_image,
    padded_size,
    shape_text,
)
from drsformer.errors import CalibrationError
from drsformer.export.cpu_session import cpu_session
from drsformer.export.graph import input_sizes
from drsformer.metrics import psnr, y_psnr, y_ssim

from ..crops import Sample
from .simulated_precision import simulated_precision
from .top_k_masks import Masks, mismatch_rate, with_masks_as_inputs, with_masks_as_outputs


@dataclass(frozen=True)
class Quality:
    """The quality of one image, or the mean over several.

    Attributes:
        psnr_db: PSNR of the output, clamped to [0, 1], against float32's, dB; inf where equal.
        fp32_top_k_psnr_db: the same with the top-k masks of float32: the cost of rounding alone.
        mismatch_rate: share of the entries of the top-k masks that differ from float32's, 0 to 1.
        max_error: largest difference of the 8-bit images, of 255; over several, the largest.
        y_psnr_db: luma PSNR against the target, dB; None without a target.
        y_psnr_drop_db: how far that is below float32's, dB; None without a target.
        ssim_drop: how far the SSIM of the luma is below float32's; None without a target.
    """

    psnr_db: float
    fp32_top_k_psnr_db: float | None
    mismatch_rate: float
    max_error: int
    y_psnr_db: float | None = None
    y_psnr_drop_db: float | None = None
    ssim_drop: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return the figures under their keys in JSON files; an infinite one becomes None."""
        values = {
            "psnr_db": self.psnr_db,
            "imposed_psnr_db": self.fp32_top_k_psnr_db,
            "flip_rate": self.mismatch_rate,
            "max_levels": self.max_error,
            "y_psnr_db": self.y_psnr_db,
            "y_psnr_drop_db": self.y_psnr_drop_db,
            "ssim_drop": self.ssim_drop,
        }
        return {
            key: value if value is not None and math.isfinite(value) else None
            for key, value in values.items()
        }


@dataclass(frozen=True)
class _Reference:
    output: Batch
    masks: Masks
    image: NDArray[np.uint8]
    y_psnr_db: float | None
    ssim: float | None


def check_sizes(proto: onnx.ModelProto, images: Sequence[Image]) -> None:
    """Raise CalibrationError where a model of fixed sizes does not take one of the images alone."""
    batch, _, *fixed = input_sizes(proto)
    for image in images:
        padded = padded_size(*image.shape[:2])
        if batch not in (None, 1) or any(
            f not in (None, n) for f, n in zip(fixed, padded, strict=True)
        ):
            accepted = shape_text(
                [batch or 1, 3, *(f or n for f, n in zip(fixed, padded, strict=True))]
            )
            raise CalibrationError(
                f"the model takes {accepted} only, and an image is 1x3x{shape_text(padded)}; "
                "export it with free sizes to convert it, and fix the sizes of an engine with "
                "`trt --shapes`"
            )


class Evaluator:
    """Compares models with one float32 model on the same images."""

    def __init__(
        self, reference: onnx.ModelProto, samples: Sequence[Sample], *, threads: int | None = None
    ) -> None:
        """Run the float32 model on every image.

        Raises:
            CalibrationError: there is no image, the model does not take its size, or it gives NaN
                or Inf.
        """
        if not samples:
            raise CalibrationError("there is no image to measure with; give at least one")
        check_sizes(reference, [sample.rainy for sample in samples])
        self.samples, self.threads = samples, threads
        session = cpu_session(with_masks_as_outputs(reference), threads, keep_copies=True)
        self._references = [self._reference(session, sample) for sample in samples]

    def evaluate(self, model: onnx.ModelProto, *, with_fp32_top_k: bool = True) -> list[Quality]:
        """Return the quality of each sample.

        Args:
            model: a typed or float32 model of the same network.
            with_fp32_top_k: also run the model with the top-k masks of float32.

        Raises:
            CalibrationError: the model gives NaN or Inf.
        """
        simulated = simulated_precision(model)
        own_top_k = self._run(with_masks_as_outputs(simulated), [[] for _ in self.samples])
        for outputs, sample in zip(own_top_k, self.samples, strict=True):
            _check_finite(
                outputs[0], sample, "the lower precision", "try --bf16, or stay in float32"
            )
        fp32_top_k: list[list[Any]] = [[None] for _ in self.samples]
        if with_fp32_top_k:
            masks = [reference.masks for reference in self._references]
            fp32_top_k = self._run(with_masks_as_inputs(simulated), masks)
        return [
            self._quality(outputs, fp32_top_k_outputs[0], sample, reference)
            for outputs, fp32_top_k_outputs, sample, reference in zip(
                own_top_k, fp32_top_k, self.samples, self._references, strict=True
            )
        ]

    def _run(self, proto: onnx.ModelProto, masks: Sequence[Masks]) -> list[list[Any]]:
        """Run a model on every sample, with masks as inputs; one session at a time is open."""
        session = cpu_session(proto, self.threads, keep_copies=True)
        names = [value.name for value in session.get_inputs()]
        return [
            _owned(
                session.run(
                    None, dict(zip(names, [input_from_image(sample.rainy), *given], strict=True))
                )
            )
            for sample, given in zip(self.samples, masks, strict=True)
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
        self, outputs: list[Any], with_fp32_top_k: Batch | None, sample: Sample, fp32: _Reference
    ) -> Quality:
        output, *masks = outputs
        image = image_from_output(output, sample.rainy)
        quality = Quality(
            _clamped_psnr(output, fp32.output),
            None if with_fp32_top_k is None else _clamped_psnr(with_fp32_top_k, fp32.output),
            mismatch_rate(masks, fp32.masks),
            int(np.abs(image.astype(int) - fp32.image).max()),
        )
        if sample.clean is None or fp32.y_psnr_db is None or fp32.ssim is None:
            return quality
        own_y_psnr = y_psnr(image, sample.clean)
        return replace(
            quality,
            y_psnr_db=own_y_psnr,
            y_psnr_drop_db=fp32.y_psnr_db - own_y_psnr,
            ssim_drop=fp32.ssim - y_ssim(image, sample.clean),
        )


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """Return the means; of `max_error`, the largest."""

    def mean(name: str) -> float | None:
        values = [getattr(quality, name) for quality in qualities]
        return None if None in values else float(np.mean(values))

    return Quality(
        mean("psnr_db") or 0.0,
        mean("fp32_top_k_psnr_db"),
        mean("mismatch_rate") or 0.0,
        max(quality.max_error for quality in qualities),
        mean("y_psnr_db"),
        mean("y_psnr_drop_db"),
        mean("ssim_drop"),
    )


def _clamped_psnr(output: Batch, expected: Batch) -> float:
    """Return the PSNR of two outputs, clamped as the images will be, dB; inf where equal."""
    return psnr(np.clip(output, 0, 1), np.clip(expected, 0, 1), peak=1.0)


def _owned(outputs: Sequence[Any]) -> list[Any]:
    """Return copies: an output of ONNX Runtime keeps all memory of its session alive."""
    return [np.array(output) for output in outputs]


def _check_finite(output: Batch, sample: Sample, what: str, remedy: str) -> None:
    if not np.isfinite(output).all():
        raise CalibrationError(
            f"{what} gives NaN or Inf on {sample.name} ({sample.rainy.shape[1]} x "
            f"{sample.rainy.shape[0]} pixels); {remedy}"
        )
