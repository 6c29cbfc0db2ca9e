"""One candidate in a process of its own: opened once, run when told, and asked for its peak memory.

The process talks through a pipe. It sends `Ready` when it is open, a `TimedRun` for each "run" that
it receives, and `Done` for "stop"; instead of each of them it may send the text of an error.
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
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Tiling

from .candidates import Candidate, CandidateFiles
from .setting import BenchSetting


@dataclass(frozen=True)
class Ready:
    """The candidate is open and has run once.

    Attributes:
        output: output of the last network call, float32 (1, 3, H, W): of the whole image, or of its
            last tile.
        open_seconds: time to import the runtime and to open the file.
        warm_seconds: time of the first run.
    """

    output: Batch
    open_seconds: float
    warm_seconds: float


@dataclass(frozen=True)
class TimedRun:
    """The time that one image took.

    Attributes:
        seconds: time from the rainy image to the derained one.
        network_seconds: the part of it inside the network.
    """

    seconds: float
    network_seconds: float


@dataclass(frozen=True)
class Done:
    """The process has finished; `peak_bytes` is the most memory that it ever held."""

    peak_bytes: int


class Worker:
    """A candidate's process, as its parent sees it."""

    def __init__(self, candidate: Candidate) -> None:
        """Remember the candidate; `start` starts its process."""
        self.candidate = candidate
        self._process: Any = None

    def start(self, files: CandidateFiles, image: Image, setting: BenchSetting) -> None:
        """Start the process, which opens the candidate and runs it once; `ready` waits for it."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self.candidate, files, image, setting)
        self._process = context.Process(target=run_worker, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ready(self) -> Ready:
        """Wait until the candidate is open and has run once."""
        answer: Ready = self._receive()
        return answer

    def run(self) -> TimedRun:
        """Derain the image once."""
        answer: TimedRun = self._receive(after="run")
        return answer

    def stop(self) -> Done:
        """End the process."""
        answer: Done = self._receive(after="stop")
        self._process.join()
        return answer

    def kill(self) -> None:
        """End the process at once; do nothing if it has ended or never started."""
        if self._process is not None:
            self._process.kill()

    def _receive(self, after: str | None = None) -> Any:
        """Return the process's answer; raise DRSformerError if the process failed."""
        try:
            if after:
                self._pipe.send(after)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise DRSformerError(
                f"{self.candidate.title}: the process died with code {self._process.exitcode}; the "
                "usual cause is too little memory: try a smaller --size or fewer candidates"
            ) from error
        if isinstance(answer, str):
            raise DRSformerError(f"{self.candidate.title}: {answer}")
        return answer


def run_worker(
    pipe: Connection,
    candidate: Candidate,
    files: CandidateFiles,
    image: Image,
    setting: BenchSetting,
) -> None:
    """Body of the worker process."""
    try:
        start = time.perf_counter()
        derain = _Timed(candidate, files, setting)
        opened = time.perf_counter()
        derain(image)
        pipe.send(Ready(derain.output, opened - start, time.perf_counter() - opened))
        while pipe.recv() == "run":
            pipe.send(derain.timed(image))
        pipe.send(Done(peak_bytes()))
    except (DRSformerError, RuntimeError, MemoryError) as error:
        pipe.send(one_line(str(error)))


def peak_bytes() -> int:
    """Return the most resident memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux a child's ru_maxrss starts at its parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Timed:
    """Derains an image, and counts the time inside the network separately."""

    def __init__(self, candidate: Candidate, files: CandidateFiles, setting: BenchSetting) -> None:
        self._network = candidate.open(files, setting.threads)
        self._tiling = None if setting.tile is None else Tiling(setting.tile)
        self._inside = 0.0
        self.output: Batch

    def __call__(self, image: Image) -> None:
        if self._tiling is not None:
            derain_tiles(image, self._run, self._tiling, None)
        else:
            output = self._run(input_from_image(image))
            image_from_output(output, like=image)

    def timed(self, image: Image) -> TimedRun:
        self._inside, start = 0.0, time.perf_counter()
        self(image)
        return TimedRun(time.perf_counter() - start, self._inside)

    def _run(self, batch: Batch) -> Batch:
        start = time.perf_counter()
        self.output = self._network(batch)
        self._inside += time.perf_counter() - start
        return self.output
