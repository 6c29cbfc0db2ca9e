"""Tells how far TensorRT's builder is, and stops it."""

from typing import Any

from drsformer.context import Context


def new_monitor(module: Any, context: Context) -> Any:
    """Return a progress monitor for a builder.

    It reports each phase as a step of the context. After its `cancelled` is set to true, the
    build stops at the end of the builder's present step.
    """

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.cancelled = False
            self.totals: dict[str, int] = {}  # steps of the phases under way
            self.shown = ""

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self.totals[phase] = steps
            self._show(phase, 0)

        def step_complete(self, phase: str, step: int) -> bool:
            self._show(phase, step + 1)
            return not self.cancelled

        def phase_finish(self, phase: str) -> None:
            self._show(phase, self.totals.get(phase, 0))
            self.totals.pop(phase, None)

        def _show(self, phase: str, done: int) -> None:
            if phase != self.shown:  # phases are nested: an outer one goes on after an inner one
                self.shown = phase
                context.step(phase)
            context.advance(done, self.totals.get(phase, 0))

    return Monitor()
