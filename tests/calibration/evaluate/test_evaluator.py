"""What the evaluator keeps of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from drsformer.calibration.crops import Sample
from drsformer.calibration.evaluate.evaluator import Evaluator

from ...samples import noise


def test_the_evaluator_keeps_no_memory_of_its_sessions(tiny_onnx: Path) -> None:
    """An output that is not copied holds all the memory of the session that gave it."""
    evaluator = Evaluator(onnx.load(tiny_onnx), [Sample("noise", noise(32, 40).astype(np.uint8))])
    (reference,) = evaluator._references
    assert all(array.flags.owndata for array in (reference.output, *reference.masks))
    (outputs,) = evaluator._run(onnx.load(tiny_onnx), [[]])
    assert all(array.flags.owndata for array in outputs)
