"""How long an input will take is said once, after its first part, where it is long."""

from __future__ import annotations

import logging
from pathlib import Path
from unittest import mock

import pytest

from drsformer.context import Context
from drsformer.runtime.estimate import duration, timed


def run(parts: int, seconds_each: float) -> list[tuple[int, int]]:
    """Count through the parts of one input; return what the bar was told."""
    told: list[tuple[int, int]] = []
    clock = iter(range(parts + 1))
    with mock.patch("time.perf_counter", lambda: next(clock) * seconds_each):
        advance = timed(
            Path("a.png"), "tile", Context(advance=lambda done, of: told.append((done, of)))
        )
        for done in range(1, parts + 1):
            advance(done, parts)
    return told


def test_a_long_input_is_estimated_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert run(48, 15.0) == [(n, 48) for n in range(1, 49)]
    (line,) = caplog.messages
    assert line.startswith("a.png: about 12 minutes for 48 tiles")


@pytest.mark.parametrize(("parts", "seconds"), [(1, 1000.0), (48, 0.1), (0, 1.0)])
def test_a_short_one_is_not(parts: int, seconds: float, caplog: pytest.LogCaptureFixture) -> None:
    run(parts, seconds)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("seconds", "text"), [(62, "62 seconds"), (720, "12 minutes"), (12600, "3.5 hours")]
)
def test_durations_are_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
