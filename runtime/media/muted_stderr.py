"""Keeps the messages of C libraries off the user's terminal.

libpng, libtiff and FFmpeg write to file descriptor 2 themselves, past `sys.stderr` and past
OpenCV's log level. Our functions that call them raise an error of one line instead.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

_STDERR = 2
_lock = Lock()
_users = 0  # blocks that are muting at present, in all threads
_kept: int | None = None  # where file descriptor 2 led before the first of them


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2 inside the block, in the whole process.

    Blocks may overlap: the first one mutes, the last one to end restores.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _users, _kept
    with _lock:
        if _users == 0:
            if sys.stderr is not None:
                sys.stderr.flush()
            with suppress(OSError):  # stderr is closed, so nothing can be written to it
                _kept = os.dup(_STDERR)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, _STDERR)
                os.close(nowhere)
        _users += 1


def _leave() -> None:
    global _users, _kept
    with _lock:
        _users -= 1
        if _users == 0 and _kept is not None:
            os.dup2(_kept, _STDERR)
            os.close(_kept)
            _kept = None
