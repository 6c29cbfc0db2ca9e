"""Runs `drs-export` in this process, as the shell would see it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from drsformer.commands.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind: its exit code and the lines it printed."""

    code: int
    out: list[str]
    err: list[str]


def drs_export(*arguments: object) -> Outcome:
    """Run the command line with these arguments."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    words = ["drs-export", *map(str, arguments)]
    with mock.patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return Outcome(code, out.getvalue().splitlines(), err.getvalue().splitlines())
