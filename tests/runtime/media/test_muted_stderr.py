"""File descriptor 2 comes back, however its users overlap."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import pytest

from drsformer.runtime.media.muted_stderr import muted_stderr


def target() -> tuple[int, int]:
    """Return what file descriptor 2 leads to."""
    status = os.fstat(2)
    return status.st_dev, status.st_ino


def test_it_comes_back_when_users_overlap() -> None:
    before = target()
    first, second = ExitStack(), ExitStack()
    first.enter_context(muted_stderr())
    muted = target()
    second.enter_context(muted_stderr())
    first.close()
    assert target() == muted != before  # the second user is still inside
    second.close()
    assert target() == before


def test_a_process_without_stderr_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    before = target()
    with muted_stderr():
        pass
    assert target() == before
