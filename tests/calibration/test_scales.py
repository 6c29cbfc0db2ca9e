"""Scales are used with the model and the precision that they were made for, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from drsformer.calibration.scales import Scales, check_belongs
from drsformer.errors import CalibrationError

HASH = "0123456789abcdef" * 4
MADE = Scales(HASH, "int8", "max", {}, {})


def check(model_sha256: str, precision: str = "int8") -> None:
    check_belongs(MADE, Path("x.scales.json"), model_sha256, Path("x.onnx"), precision)


def test_scales_belong_to_their_model() -> None:
    check(HASH)


@pytest.mark.parametrize("place", [0, 1, 2, 12, 63])
def test_every_digit_of_the_hash_counts(place: int) -> None:
    with pytest.raises(CalibrationError, match=r"another model .* than x\.onnx"):
        check(HASH[:place] + "x" + HASH[place + 1 :])


def test_scales_belong_to_their_precision() -> None:
    with pytest.raises(CalibrationError, match="scales for int8, not fp8"):
        check(HASH, "fp8")
