"""The logger that TensorRT writes to: one per process, the library keeps the first it is given."""

from functools import lru_cache
from typing import Any

from drsformer.errors import one_line


@lru_cache
def logger_of(module: Any) -> Any:
    """Return the one logger of a library's module.

    Its `warnings` and `errors` are lists of the lines since the last `clear`.
    """

    class Logger(module.ILogger):  # type: ignore[misc]  # no type information
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.warnings: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= module.ILogger.ERROR:
                self.errors.append(message)
            elif severity == module.ILogger.WARNING:
                self.warnings.append(message)

        def clear(self) -> None:
            self.warnings.clear()
            self.errors.clear()

        def reason(self, limit: int = 320) -> str:
            """Return the last error in one line."""
            return one_line(self.errors[-1], limit) if self.errors else "it gives no reason"

    return Logger()
