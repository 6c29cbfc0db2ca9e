"""Lists which file becomes which, and checks the list before any work is done.

Without an output folder the outputs lie beside their inputs, photo.jpg -> photo.derained.jpg; such
files are then no inputs of a later run.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from drsformer.errors import DRSformerError, ImageError

from .formats import IMAGE_FORMATS, VIDEO_CODECS, Kind, kind_from_name

DERAINED, COMPARED, PREVIEWED = ".derained", ".compare", ".preview"


@dataclass(frozen=True)
class Job:
    """One input and what it becomes.

    Attributes:
        kind: what the source is by its name; "image" where the name says nothing.
        source: the file to read; it may turn out to be missing or bad.
        output: the file to write.
        compare: the side-by-side picture to write, or None.
        made_before: whether the source was itself written by a run, and is left out.
    """

    kind: Kind
    source: Path
    output: Path
    compare: Path | None = None
    made_before: bool = False

    def outputs(self) -> list[Path]:
        """Return the files this job writes."""
        return [self.output] if self.compare is None else [self.output, self.compare]


def jobs_from_inputs(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    suffix: str | None = None,
    compare: bool = False,
    preview: bool = False,
) -> list[Job]:
    """List the work in a fixed order.

    A file goes to `output` under its own name. A folder's images and videos keep the folder's
    structure there; names that start with a dot, and `output` itself, are left out.

    Args:
        inputs: files and folders.
        output: the folder to write into, which need not exist, or for a single input the file to
            write; None for beside each input.
        suffix: the ending to write instead, such as ".png"; an image's ending changes images only,
            and a video's changes videos only.
        compare: whether to write side-by-side pictures.
        preview: whether each output is a small picture, NAME.preview.png, instead.

    Raises:
        ImageError: a folder holds no image or video, or two inputs would become one file.
    """
    if output is not None and names_a_file(output):
        jobs = [_named(inputs, output, suffix)]
    else:
        placed = {job: None for path in inputs for job in _placed(path, output)}
        jobs = [_renamed(job, suffix) for job in placed]
    if preview:
        jobs = [replace(job, output=_beside(job.output, PREVIEWED, ".png")) for job in jobs]
    elif output is None:
        jobs = [replace(job, output=_beside(job.output, DERAINED)) for job in jobs]
    if compare:
        jobs = [replace(job, compare=job.output.with_suffix(f"{COMPARED}.png")) for job in jobs]
    _check_distinct(jobs)
    return jobs


def names_a_file(output: Path) -> bool:
    """Whether an output is the name of an image or a video, and not of a folder."""
    return kind_from_name(output) is not None and not _is_folder(output)


def identities(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Return device and inode of the files that exist, which links share with their file."""
    found = set()
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found


@contextmanager
def output_folder(path: Path) -> Iterator[None]:
    """Make a folder and check that it can be written; remove what stays empty in the end.

    Raises:
        DRSformerError: the folder cannot be made or written.
    """
    made: list[Path] = []
    try:
        try:
            made = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise DRSformerError(
                f"cannot write into the folder {path}: {error.strerror}; choose another --output"
            ) from error
        yield
    finally:
        for folder in made:  # deepest first; a folder that holds something stays
            with suppress(OSError):
                folder.rmdir()


def _named(inputs: Sequence[Path], output: Path, suffix: str | None) -> Job:
    """Return the job of the only input, which goes into a file of this name."""
    if len(inputs) > 1 or _is_folder(inputs[0]):
        raise ImageError(
            f"--output {output} is the name of one file; for several inputs give a folder"
        )
    if suffix is not None and not _is_same_format(output.suffix.lower(), suffix):
        raise ImageError(f"--output {output} and --format {suffix[1:]} differ; give one of them")
    kind = kind_from_name(inputs[0]) or "image"
    if kind != kind_from_name(output):
        raise ImageError(f"{inputs[0]} is of the kind {kind}, which {output} cannot hold")
    return Job(kind, inputs[0], output)


def _beside(path: Path, what: str, ending: str | None = None) -> Path:
    """Return photo.derained.jpg for photo.jpg."""
    return path.with_name(f"{path.stem}{what}{path.suffix if ending is None else ending}")


def _made_before(path: Path) -> bool:
    """Whether a run wrote this file, by its name."""
    return Path(path.stem).suffix in (DERAINED, COMPARED, PREVIEWED)


def _placed(path: Path, output: Path | None) -> list[Job]:
    """Return a job for each file of an input, under its own name below the output folder."""
    if not _is_folder(path):
        target = path if output is None else output / path.name
        # who names a file and another folder means it
        left_out = output is None and _made_before(path)
        return [Job(kind_from_name(path) or "image", path, target, made_before=left_out)]
    if output is None:
        output = path
    elif os.path.realpath(path) == os.path.realpath(output):
        raise ImageError(f"{path} is input and output; choose another --output folder")
    inner = None if output is path else os.path.realpath(output)
    jobs = [
        Job(kind, file, output / file.relative_to(path), made_before=_made_before(file))
        for file in _files(path, inner)
        if (kind := kind_from_name(file))
    ]
    if not jobs:
        endings = ", ".join([*IMAGE_FORMATS, *VIDEO_CODECS])
        raise ImageError(f"{path}: the folder holds no image or video; known endings: {endings}")
    return jobs


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; one without permission counts as a file, and fails as one."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _files(folder: Path, output: str | None) -> Iterator[Path]:
    """Yield the files below a folder in name order, without hidden ones and without `output`."""
    for place, folders, names in os.walk(folder, onerror=_cannot_list):
        here = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(here / name) != output
        )
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _cannot_list(error: OSError) -> None:
    raise ImageError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error


def _renamed(job: Job, suffix: str | None) -> Job:
    """Return the job with the ending that was asked for."""
    output = job.output
    if (
        suffix is not None
        and (job.kind == "video") == (suffix in VIDEO_CODECS)
        # ".jpg" asks for a format: a name that ends in ".jpeg" keeps its spelling
        and not _is_same_format(output.suffix.lower(), suffix)
    ):
        output = output.with_suffix(suffix)
    return replace(job, output=output)


def _is_same_format(one: str, other: str) -> bool:
    return one == other or IMAGE_FORMATS.get(one, one) == IMAGE_FORMATS.get(other, other)


def _check_distinct(jobs: Sequence[Job]) -> None:
    first: dict[Path, Path] = {}
    for job in jobs:
        for path in () if job.made_before else job.outputs():
            if path in first:
                raise ImageError(
                    f"{first[path]} and {job.source} would both be written to {path}; "
                    "derain them into different folders"
                )
            first[path] = job.source
