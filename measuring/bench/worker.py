"""A contender in a process of its own: opened once, run when told, its peak memory read at the end.

The process talks through a pipe: it sends `Ready` (or an error's text), then a `Run` for each
"run" it gets, and `Done` for "stop".
"""

import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from drsformer.contract import Batch, Image, image_from_output, input_from_image
from drsformer.errors import DRSformerError, one_line
from drsformer.runtime.tiles import Tiling, derain_tiles

from .candidates import Contender, Files


@dataclass(frozen=True)
class Ready:
    """The contender is open and warm.

    Attributes:
        output: of its last network call, float32 (1, 3, H, W): the image's, or its last tile's.
        open_seconds: until it was open, its imports too.
        warm_seconds: of the first run.
    """

    output: Batch
    open_seconds: float
    warm_seconds: float


@dataclass(frozen=True)
class Run:
    """One image derained.

    Attributes:
        seconds: from image to image.
        network_seconds: of that, inside the network.
    """

    seconds: float
    network_seconds: float


@dataclass(frozen=True)
class Done:
    """The last word; `peak_bytes` is the most memory the process ever held."""

    peak_bytes: int


class Worker:
    """The parent's side of a contender's process."""

    def __init__(self, contender: Contender) -> None:
        """Remember the contender; `start` starts the process."""
        self.contender = contender
        self._process: Any = None

    def start(self, files: Files, image: Image, threads: int, tile: int | None) -> None:
        """Start the process, which opens the contender and runs it once; `ready` waits for it."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self.contender, files, image, threads, tile)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ready(self) -> Ready:
        """Wait until the contender is warm."""
        answer: Ready = self._receive()
        return answer

    def run(self) -> Run:
        """Derain the image once."""
        answer: Run = self._receive(after="run")
        return answer

    def stop(self) -> Done:
        """End the process."""
        answer: Done = self._receive(after="stop")
        self._process.join()
        return answer

    def kill(self) -> None:
        """End the process at once; does nothing to one that has ended or never started."""
        if self._process is not None:
            self._process.kill()

    def _receive(self, after: str | None = None) -> Any:
        """Return the process's answer, or raise DRSformerError for what went wrong there."""
        try:
            if after:
                self._pipe.send(after)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise DRSformerError(
                f"{self.contender.title}: the process died with code {self._process.exitcode}, "
                "mostly for lack of memory; try a smaller --size or fewer contenders"
            ) from error
        if isinstance(answer, str):
            raise DRSformerError(f"{self.contender.title}: {answer}")
        return answer


def serve(
    pipe: Connection,
    contender: Contender,
    files: Files,
    image: Image,
    threads: int,
    tile: int | None,
) -> None:
    """Be the process."""
    try:
        start = time.perf_counter()
        derain = _Timed(contender, files, threads, tile)
        opened = time.perf_counter()
        derain(image)
        pipe.send(Ready(derain.output, opened - start, time.perf_counter() - opened))
        while pipe.recv() == "run":
            pipe.send(derain.timed(image))
        pipe.send(Done(peak_bytes()))
    except (DRSformerError, RuntimeError, MemoryError) as error:
        pipe.send(one_line(str(error)))


def peak_bytes() -> int:
    """Return the most memory that this process ever held resident."""
    status = Path("/proc/self/status")
    if status.exists():  # not ru_maxrss there: a child begins with its parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Timed:
    """Image to image, with the time inside the network apart."""

    def __init__(self, contender: Contender, files: Files, threads: int, tile: int | None) -> None:
        self._network = contender.open(files, threads)
        self._tiling = None if tile is None else Tiling(tile)
        self._inside = 0.0
        self.output: Batch

    def __call__(self, image: Image) -> None:
        if self._tiling is not None:
            derain_tiles(image, self._run, self._tiling, None)
        else:
            output = self._run(input_from_image(image))
            image_from_output(output, like=image)

    def timed(self, image: Image) -> Run:
        self._inside, start = 0.0, time.perf_counter()
        self(image)
        return Run(time.perf_counter() - start, self._inside)

    def _run(self, batch: Batch) -> Batch:
        start = time.perf_counter()
        self.output = self._network(batch)
        self._inside += time.perf_counter() - start
        return self.output
