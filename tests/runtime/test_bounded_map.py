"""Several calls at once, the results in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from drsformer.runtime.bounded_map import bounded_map


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_results_come_in_order(at_once: int) -> None:
    assert list(bounded_map(lambda n: n * n, range(10), at_once)) == [n * n for n in range(10)]


def test_as_many_as_asked_for_run_together() -> None:
    together = threading.Barrier(3, timeout=20)  # breaks unless three calls meet

    def meet(number: int) -> int:
        together.wait()
        return number

    assert list(bounded_map(meet, range(6), 3)) == list(range(6))


def test_no_more_is_taken_than_runs() -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield taken

    results = bounded_map(lambda n: n, numbers(), 3)
    assert next(results) == 1 and taken == 3
    assert next(results) == 2 and taken == 4
    results.close()


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_error_reaches_the_caller_and_stops_the_rest(at_once: int) -> None:
    def fail(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        return number

    results = bounded_map(fail, range(1000), at_once)
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
