"""The contract's cases: the file is what the code does, and what its own rules say."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import contract_cases
import numpy as np
import pytest

CASES = Path(__file__).parent / "data" / "contract_cases.json"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return dict(json.loads(CASES.read_text()))


def test_the_file_is_what_the_code_does() -> None:
    assert contract_cases.text() == CASES.read_text(), "run tools/contract_cases.py and look why"


def test_levels_are_scaled_and_rounded_half_to_even(written: dict[str, Any]) -> None:
    for case in written["scaling"]["cases"]:
        most = np.float32(np.iinfo(case["dtype"]).max)
        assert np.float32(case["value"]) == np.float32(case["level"]) / most
    for case in written["rounding"]["cases"]:
        most = np.float32(np.iinfo(case["dtype"]).max)
        assert case["level"] == round(float(np.float32(min(max(case["value"], 0), 1)) * most))


def test_blended_levels_follow_from_the_weights_alone(written: dict[str, Any]) -> None:
    """As an implementation in another language would compute them."""
    for case in written["tiling"]["cases"]:
        size = case["height"], case["width"]
        sums: dict[tuple[int, int, int], int] = {}
        totals: dict[tuple[int, int], int] = {}
        number = 0
        for top, down in zip(case["rows"]["starts"], case["rows"]["weights"], strict=True):
            for left, across in zip(
                case["columns"]["starts"], case["columns"]["weights"], strict=True
            ):
                for y, x in np.ndindex(case["rows"]["side"], case["columns"]["side"]):
                    at, weight = (top + y, left + x), down[y] * across[x]
                    totals[at] = totals.get(at, 0) + weight
                    for c in range(3):
                        level = (31 * number + 7 * y + 3 * x + 5 * c) % 256
                        sums[(*at, c)] = sums.get((*at, c), 0) + weight * level
                number += 1
        found = [
            [
                [round(Fraction(sums[y, x, c], totals[y, x])) for c in range(3)]
                for x in range(size[1])
            ]
            for y in range(size[0])
        ]
        assert found == case["levels"], case["blend"]
