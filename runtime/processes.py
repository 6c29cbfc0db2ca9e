"""What happens to an opened model in a process that was forked from this one.

The threads of an inference library do not live on in the child, so an inherited session waits for
them for ever: when it runs, and when it is freed, also at the end of the program. In the child an
inherited model is therefore neither used nor freed.
"""

import ctypes
import os
import sys
from threading import Lock
from typing import Protocol
from weakref import WeakSet


class Inherits(Protocol):
    """Something that holds an opened model."""

    def forget(self) -> object:
        """Give up the model, and return it."""
        ...


opening = Lock()  # held while a model is opened again
_opened: WeakSet[Inherits] = WeakSet()


def forget_after_fork(holder: Inherits) -> None:
    """Call `holder.forget` in every process that is forked from this one."""
    _opened.add(holder)


def _after_fork() -> None:
    global opening
    opening = Lock()  # a thread that held the old one does not exist here
    for holder in list(_opened):
        # a reference that nobody gives back: not even the end of the program frees the model
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(holder.forget()))


if sys.platform != "win32":  # which has no fork
    os.register_at_fork(after_in_child=_after_fork)
