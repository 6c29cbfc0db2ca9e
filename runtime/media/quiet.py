"""Keeps the C libraries' own words off the user's terminal.

libpng, libtiff and FFmpeg write to file descriptor 2 themselves, past `sys.stderr` and past
OpenCV's log level; what they say is turned into one line of ours by whoever calls them.
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
    except OSError:  # stderr is closed: nothing to keep quiet
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
