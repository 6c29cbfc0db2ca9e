"""Imports of a command, which live as long as the program."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Import without looking for garbage, and never look for any in what was imported.

    PyTorch and what comes with it are some 240,000 objects, and Python's collector walks through
    all of them again and again: a tenth of the time that `trt` takes of a small checkpoint.
    """
    were_collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if were_collected:
            gc.enable()
