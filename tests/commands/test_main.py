"""What `drs-export` does before a command's module is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from drsformer.commands.main import main
try:
    main()
except SystemExit:
    print(os.environ.get("OMP_WAIT_POLICY"))
"""
UNSET = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}


@pytest.mark.parametrize(
    ("command", "environment", "expected"),
    [
        ("run", UNSET, "PASSIVE"),
        ("run", UNSET | {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),  # the user's own choice
        ("bench", UNSET, "None"),  # PyTorch is measured as it is
    ],
)
def test_threads_of_pytorch_leave_their_core_to_others(
    command: str, environment: dict[str, str], expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, command, "--help"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == expected
