"""Applies a function to several items at once, in bounded memory, and gives the results in order.

A GPU's streams upload one tile, compute another and download a third; a CPU backend uses all its
cores for one run, so it gets one at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def bounded_map(function: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Yield `function(item)` for each item, in the items' order.

    Args:
        function: called from up to `at_once` threads; from the caller's thread if that is 1.
        items: taken one by one, at most `at_once` of them ahead of the results yielded.
        at_once: the most calls that run at the same time.
    """
    if at_once == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(at_once) as pool:
        running: deque[Future[R]] = deque()
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) == at_once:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:  # on an error, or when the caller stops reading: cancel what has not begun
            for future in running:
                future.cancel()
