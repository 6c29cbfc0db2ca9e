"""Keeps the messages of C libraries off the user's terminal.

libpng, libtiff and FFmpeg write to file descriptor 2 themselves, past `sys.stderr` and past
OpenCV's log level. Our functions that call them raise an error of one line instead.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2 inside the block, in the whole process."""
    sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # stderr is closed, so nothing can be written to it
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)
