"""How far a command is: one bar on stderr, for terminals only."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from drsformer.context import Context


@contextmanager
def progress() -> Iterator[Context]:
    """Give a context whose steps and counts are shown inside the block, and wiped after it."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=None)

        def step(what: str) -> None:
            bar.reset(task, total=None, description=what)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield Context(step, advance)
