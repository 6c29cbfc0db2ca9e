"""How much memory a run of a model takes, measured on small inputs in a process of its own.

    need = what the model takes when it is ready for a size + bytes a pixel * pixels

Both depend on the network, on the graph and on the library that runs it, so both are measured: in
a process of its own, because memory that this one holds already would be used again and not be
seen. docs/decisions.md has how exact that is.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drsformer.errors import ModelError

from .free_memory import forget_peak, resident_bytes
from .model import Model
from .options import RunOptions

MOST_SECONDS = 600  # the full network takes up to half a minute on two cores

MEASURE = f"""
import sys
sys.path.extend(sys.argv[2:])
from {__name__} import main
main(sys.argv[1])
"""


@dataclass(frozen=True)
class Need:
    """What a run takes beyond the opened model.

    Attributes:
        fixed: bytes for any size.
        per_pixel: bytes for each pixel of the padded image.
    """

    fixed: int
    per_pixel: float

    def bytes_of(self, pixels: int) -> int:
        """Return the bytes that an image of this many pixels, padded, takes."""
        return self.fixed + round(self.per_pixel * pixels)


def measured_need(path: Path, options: RunOptions, *, as_large: bool) -> Need:
    """Measure what runs of a model take; Linux only.

    Args:
        path: the model; it takes any height and width.
        options: how it is run, on the CPU.
        as_large: whether the samples are run as large inputs are; see `Backend.is_large`.

    Raises:
        ModelError: it could not be measured.
    """
    if not _is_python(sys.executable):  # of a program that contains Python, it is that program
        raise ModelError(f"{sys.executable!r} is not Python")
    given = json.dumps([str(path.absolute()), vars(options), as_large])
    # this process's modules too, behind Python's own: a file of the user's may be called re.py
    modules = map(os.path.abspath, sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, given, *modules],
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=True,
            cwd=os.sep,
        )
        return Need(*json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError) as error:
        raise ModelError(f"the process that measures it failed: {error}") from error


def _is_python(executable: str | None) -> bool:
    return Path(executable or "").name.lower().startswith("python")


def need_here(model: Model, height: int, width: int, *, as_large: bool) -> Need:
    """Run a model once in this process, and return what that took.

    Args:
        model: takes any size, and keeps nothing of an earlier run.
        height: of the input, pixels, a multiple of 8.
        width: of the input, pixels, a multiple of 8.
        as_large: see `Backend.is_large`.
    """
    shape = model.input_shape(height, width)
    before, _ = resident_bytes()
    model.prepare(shape, as_large=as_large)
    ready, _ = resident_bytes()
    with suppress(OSError):  # the peak of opening then counts too; a run of this size takes more
        forget_peak()
    random = np.random.default_rng(0)
    if model.takes_pixels:
        model.run_pixels(random.integers(0, 256, shape, np.uint8))
    else:
        model.run(random.random(shape, np.float32))
    _, peak = resident_bytes()
    return Need(max(0, ready - before), max(0, peak - ready) / (height * width))


def main(given: str) -> None:
    """Body of the process: measure, and write the two numbers of the `Need`.

    Args:
        given: a JSON list of the model's path, the fields of its `RunOptions`, and `as_large`.
    """
    path, options, as_large = json.loads(given)
    model, needs = Model(Path(path), RunOptions(**options)), []
    for size in model.samples:
        needs.append(need_here(model, *size, as_large=as_large))
        model.release()
    per_pixel = sum(need.per_pixel for need in needs) / len(needs)
    sys.stdout.write(json.dumps([needs[0].fixed, per_pixel]) + "\n")


def rough_bytes_of(model: Model, pixels: int) -> int:
    """Return more bytes than a run takes, without measuring.

    The full network takes 22 KB a pixel as a plain graph, and 7.5 KB at most in our form
    (docs/performance.md). Opening takes up to three times the file.
    """
    a_pixel = 10_000 if model.is_deployed else 24_000
    return 500_000_000 + 4 * model.file_bytes + a_pixel * pixels * (model.batch or 1)
