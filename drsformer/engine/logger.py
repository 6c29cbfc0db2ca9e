"""What TensorRT says: a process has one logger for each library, which keeps the first it is given.

So all objects share the logger, and each of them reads only what was said since its own mark.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drsformer.errors import one_line

LINES_KEPT = 1000  # of the last ones; a process may open engines for months


@dataclass(frozen=True)
class LogSince:
    """The lines that a library's logger got after a mark.

    Attributes:
        logger: the library's own object, to hand to the library.
        mark: number of the lines before.
    """

    logger: Any
    mark: int

    @property
    def errors(self) -> list[str]:
        """The errors, oldest first."""
        return [
            text for number, is_error, text in self.logger.lines if self._mine(number, is_error)
        ]

    @property
    def warnings(self) -> list[str]:
        """The warnings, oldest first."""
        return [
            text for number, is_error, text in self.logger.lines if self._mine(number, not is_error)
        ]

    def reason(self, limit: int = 320) -> str:
        """Return the last error in one line."""
        return one_line(self.errors[-1], limit) if self.errors else "it gives no reason"

    def _mine(self, number: int, wanted: bool) -> bool:
        return wanted and number >= self.mark


def log_since_now(module: Any) -> LogSince:
    """Return the log of a library's module, from now on."""
    logger = _logger_of(module)
    return LogSince(logger, logger.count)


@lru_cache
def _logger_of(module: Any) -> Any:
    """Return the one logger of a library's module.

    Its `lines` are the last ones as (number, whether it is an error, text), `count` the number of
    all.
    """

    class Logger(module.ILogger):  # type: ignore[misc]  # no type information
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.lines: deque[tuple[int, bool, str]] = deque(maxlen=LINES_KEPT)
            self.count = 0

        def log(self, severity: Any, message: str) -> None:
            if severity <= module.ILogger.WARNING:
                is_error = severity <= module.ILogger.ERROR
                self.lines.append((self.count, is_error, message))
                self.count += 1

    return Logger()
