"""Says how long an input will take, once its first tile or frame is done."""

import time
from pathlib import Path

from drsformer.context import Context, OnAdvance

WORTH_SAYING = 60  # seconds; whoever waits for less sees the bar


def timed(source: Path, noun: str, context: Context) -> OnAdvance:
    """Return a replacement of `context.advance` that also logs an estimate of the whole, once.

    Args:
        source: what is derained.
        noun: what is counted, "tile" or "frame".
        context: is told about each part, and gets the estimate in its log.
    """
    start = time.perf_counter()

    def advance(done: int, total: int) -> None:
        context.advance(done, total)
        took = time.perf_counter() - start
        if done == 1 and took * (total - 1) >= WORTH_SAYING:
            context.log.warning(
                "%s: about %s for %d %ss, by the time of the first; --preview shows the middle",
                source,
                duration(took * total),
                total,
                noun,
            )

    return advance


def duration(seconds: float) -> str:
    """Return "40 seconds", "12 minutes" or "3.5 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
