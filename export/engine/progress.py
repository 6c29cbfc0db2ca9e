"""How far the builder is, and how it is stopped."""

from collections.abc import Callable
from typing import Any

OnProgress = Callable[[str, int, int], None]  # phase, steps done, steps in all


def new_monitor(module: Any, on_progress: OnProgress) -> Any:
    """Return a progress monitor; once its `cancelled` is true, the build stops at the next step."""

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.cancelled = False
            self.steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self.steps[phase] = steps
            on_progress(phase, 0, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            on_progress(phase, step + 1, self.steps.get(phase, 0))
            return not self.cancelled

        def phase_finish(self, phase: str) -> None:
            steps = self.steps.pop(phase, 0)
            on_progress(phase, steps, steps)

    return Monitor()
