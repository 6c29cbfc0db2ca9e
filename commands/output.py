"""What a command says: its result in one line first, the detail with -v, all of it as JSON.

    onnx_command.py    output.result("derain.onnx: 5.5 MB, agrees with the checkpoint")
                       output.detail(table)
                       output.write_json(report, inputs=[checkpoint])

With `--json -` stdout holds the JSON and nothing else; the result goes to stderr then.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType

from drsformer.files import written_whole

from .options import Command

STDOUT = Path("-")


@dataclass(frozen=True)
class Output:
    """Where a command's result goes.

    Attributes:
        json_path: the file to write the result to as JSON, "-" for stdout, or None.
        verbose: whether the detail is printed too.
    """

    json_path: Path | None = None
    verbose: bool = False

    def result(self, line: str) -> None:
        """Print a line of the result."""
        click.echo(line, err=self.json_path == STDOUT)

    def detail(self, what: RenderableType) -> None:
        """Print a table or a line that most users do not need; only with -v."""
        if self.verbose:
            Console(stderr=self.json_path == STDOUT).print(what)

    def note(self, line: str) -> None:
        """Print on stderr what the user should know beside the result."""
        click.echo(line, err=True)

    def write_json(self, result: Any, inputs: Iterable[Path] = ()) -> None:
        """Write the result as JSON where it was asked for, whole or not at all.

        Args:
            result: plain values; docs/json.md describes each command's.
            inputs: files that must not be overwritten.

        Raises:
            DRSformerError: the file cannot be written, or is an input.
        """
        if self.json_path is None:
            return
        text = json.dumps(result, indent=2, allow_nan=False) + "\n"
        if self.json_path == STDOUT:
            click.echo(text, nl=False)
            return
        with written_whole(self.json_path, inputs=inputs) as temporary:
            temporary.write_text(text, encoding="utf-8")


def output_options(verbose_help: str = "Print the detail too.") -> Callable[[Command], Command]:
    """Add --json and -v to a command, which gets them as one argument `output`.

    Args:
        verbose_help: says what the command prints with -v.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_output(json_path: Path | None, verbose: bool, **others: Any) -> None:
            command(output=Output(json_path, verbose), **others)

        json_type = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
        json_help = "Write the result to this file as JSON; - for stdout."
        verbose = click.option("--verbose", "-v", is_flag=True, help=verbose_help)
        json_option = click.option("--json", "json_path", type=json_type, help=json_help)
        return json_option(verbose(with_output))

    return decorate
