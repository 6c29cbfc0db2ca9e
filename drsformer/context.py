"""Whom a long-running function tells how far it is, and where it logs; the same for all of them.

    def export(path: Path, context: Context = QUIET) -> ...:
        context.step("rewriting")           # what is being done now
        context.advance(3, 12)              # how much of it is done

The command line shows both as a bar; a library user who passes nothing is told nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

OnStep = Callable[[str], None]
OnAdvance = Callable[[int, int], None]


def _ignore_step(what: str) -> None:
    """Tell nobody."""


def _ignore_advance(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Context:
    """Progress and logger of one call.

    Attributes:
        step: told what is being done, in a few words, before it begins.
        advance: told how many parts of the present step are done, and how many there are; 0 where
            the number is not known.
        log: for what the user may want to know later.
    """

    step: OnStep = _ignore_step
    advance: OnAdvance = _ignore_advance
    log: logging.Logger = logging.getLogger("drsformer")


QUIET = Context()
