"""A progress bar on stderr, for terminals only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """Two bars: the inputs, and the tiles or frames of the present one."""

    def __init__(self, progress: Progress) -> None:
        """Draw on a running `progress`."""
        self._progress = progress
        self._inputs = progress.add_task("", total=None)
        self._steps = progress.add_task("", total=None)

    def start(self, number: int, count: int, source: Path) -> None:
        """Input `number` of `count`, from 1, begins."""
        self._progress.update(self._inputs, completed=number - 1, total=count, description="inputs")
        self._progress.reset(self._steps, total=None, description=source.name)

    def step(self, done: int, total: int) -> None:
        """`done` tiles or frames of the present input are done; `total` is 0 where unknown."""
        self._progress.update(self._steps, completed=done, total=total or None)


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """Show a bar inside the block and wipe it after; show nothing where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield ProgressBar(progress)
