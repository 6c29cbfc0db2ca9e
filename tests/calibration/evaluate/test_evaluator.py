"""What the judge keeps of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from drsformer.calibration.crops import Sample
from drsformer.calibration.evaluate.evaluator import Judge

from ...samples import noise


def test_the_judge_keeps_no_memory_of_its_sessions(tiny_onnx: Path) -> None:
    """An output that is not copied holds all the memory of the session that gave it."""
    judge = Judge(onnx.load(tiny_onnx), [Sample("noise", noise(32, 40).astype(np.uint8))])
    (reference,) = judge._references
    assert all(array.flags.owndata for array in (reference.output, *reference.masks))
    (outputs,) = judge._run(onnx.load(tiny_onnx), [[]])
    assert all(array.flags.owndata for array in outputs)
