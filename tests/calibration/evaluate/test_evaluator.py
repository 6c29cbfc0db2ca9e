"""What the evaluator keeps of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.calibration.crops import Sample
from drsformer.calibration.evaluate.evaluator import Evaluator, Quality, mean_quality
from drsformer.contract import CONTRACT, image_from_output, input_from_image
from drsformer.export.cpu_session import cpu_session
from drsformer.metrics import y_psnr, y_ssim

from ...samples import noise


def test_the_evaluator_keeps_no_memory_of_its_sessions(tiny_onnx: Path) -> None:
    """An output that is not copied holds all the memory of the session that gave it."""
    evaluator = Evaluator(onnx.load(tiny_onnx), [Sample("noise", noise(32, 40).astype(np.uint8))])
    (reference,) = evaluator._references
    assert all(array.flags.owndata for array in (reference.output, *reference.masks))
    (outputs,) = evaluator._run(onnx.load(tiny_onnx), [[]])
    assert all(array.flags.owndata for array in outputs)


def test_quality_is_what_the_metrics_say_of_both_images(tiny_onnx: Path) -> None:
    """A model with another first bias stands for a lower precision."""
    reference = onnx.load(tiny_onnx)
    other = onnx.load(tiny_onnx)
    for weight in other.graph.initializer:
        if weight.name.startswith("patch_embed"):
            values = onnx.numpy_helper.to_array(weight) * np.float32(0.8)
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    rainy, clean = noise(32, 40).astype(np.uint8), noise(40, 40).astype(np.uint8)[:32]
    samples = [Sample("pair", rainy, clean)]
    (found,) = Evaluator(reference, samples).evaluate(other, with_fp32_top_k=False)
    exact, lowered = (
        image_from_output(
            cpu_session(model).run(None, {CONTRACT.input_name: input_from_image(rainy)})[0], rainy
        )
        for model in (reference, other)
    )
    assert found.max_error == np.abs(exact.astype(int) - lowered).max() > 0
    assert found.y_psnr_db == pytest.approx(y_psnr(lowered, clean))
    assert found.y_psnr_drop_db == pytest.approx(y_psnr(exact, clean) - y_psnr(lowered, clean))
    assert found.ssim_drop == pytest.approx(y_ssim(exact, clean) - y_ssim(lowered, clean), abs=1e-9)


def test_a_mean_has_the_largest_error_of_all() -> None:
    mean = mean_quality([Quality(40.0, None, 0.1, 3), Quality(50.0, None, 0.3, 7)])
    assert (mean.psnr_db, mean.max_error) == (45.0, 7)
    assert mean.mismatch_rate == pytest.approx(0.2)
