"""Several inputs under way at once, results in order.

A GPU's lanes upload one tile, compute another and download a third; a CPU backend uses all its
cores for one, so it gets one at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Yield `function(item)` for each item, in the items' order.

    Args:
        function: called from up to `at_once` threads.
        items: taken one by one, at most `at_once` ahead of what was yielded.
        at_once: 1 calls it here, one after the other.
    """
    if at_once == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(at_once) as pool:
        under_way: deque[Future[R]] = deque()
        try:
            for item in items:
                under_way.append(pool.submit(function, item))
                if len(under_way) == at_once:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:  # whoever stops reading, or an error, stops what has not begun
            for future in under_way:
                future.cancel()
