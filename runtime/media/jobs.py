"""Which file becomes which: the list of work, made and checked before any of it is done."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from drsformer.errors import DRSformerError, ImageError

from .formats import IMAGE_FORMATS, VIDEO_CODECS, is_image_name, is_video_name


@dataclass(frozen=True)
class Job:
    """One input and what it becomes.

    Attributes:
        source: an image or a video; it may turn out to be missing or bad.
        target: the file to write.
        compare: the side-by-side picture to write, or None.
    """

    source: Path
    target: Path
    compare: Path | None = None

    def outputs(self) -> list[Path]:
        """Return the files this job writes."""
        return [self.target] if self.compare is None else [self.target, self.compare]


def jobs_from_inputs(
    inputs: Sequence[Path], output: Path, *, suffix: str | None = None, compare: bool = False
) -> list[Job]:
    """List the work in a fixed order.

    A file goes to `output` under its own name. A folder's images and videos go there in the
    folder's own structure; names that start with a dot, and `output` itself, are left out.

    Args:
        inputs: files and folders.
        output: the folder to write into; need not exist.
        suffix: the ending to write instead, such as ".png"; it changes images only if it is an
            image's, and videos only if it is a video's.
        compare: ask for side-by-side pictures.

    Raises:
        ImageError: a folder without images, or two inputs that would become one file.
    """
    places = dict.fromkeys(pair for path in inputs for pair in _placed(path, output))
    jobs = [
        _job(source, output / _renamed(relative, suffix), compare) for source, relative in places
    ]
    _check_distinct(jobs)
    return jobs


def identities(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Return device and inode of the files that exist, so that links are seen through."""
    found = set()
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found


@contextmanager
def output_folder(path: Path) -> Iterator[None]:
    """Make a folder and check that it can be written; folders made in vain are removed again.

    Raises:
        DRSformerError: it cannot be made or written.
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
        for folder in made:  # deepest first; what holds something stays
            with suppress(OSError):
                folder.rmdir()


def _placed(path: Path, output: Path) -> list[tuple[Path, Path]]:
    """Return each file of an input and its place below the output folder."""
    if not _is_folder(path):
        return [(path, Path(path.name))]
    if path.resolve() == output.resolve():
        raise ImageError(f"{path} is input and output; choose another --output folder")
    files = [
        file
        for file in _files(path, output.resolve())
        if is_image_name(file) or is_video_name(file)
    ]
    if not files:
        endings = ", ".join([*IMAGE_FORMATS, *VIDEO_CODECS])
        raise ImageError(f"{path}: the folder holds no image or video; known endings: {endings}")
    return [(file, file.relative_to(path)) for file in files]


def _is_folder(path: Path) -> bool:
    """Whether it is a folder; what we may not even look at counts as a file, and fails as one."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _files(folder: Path, output: Path) -> Iterator[Path]:
    """Yield the files below a folder in name order, without hidden ones and without `output`."""
    for place, folders, names in os.walk(folder, onerror=_cannot_list):
        here = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != output
        )
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _cannot_list(error: OSError) -> None:
    raise ImageError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error


def _renamed(path: Path, suffix: str | None) -> Path:
    if suffix is None or is_video_name(path) != (suffix in VIDEO_CODECS):
        return path
    # .jpg asks for a format, not for a spelling
    return path if _is_same_format(path.suffix.lower(), suffix) else path.with_suffix(suffix)


def _is_same_format(one: str, other: str) -> bool:
    return one == other or IMAGE_FORMATS.get(one, one) == IMAGE_FORMATS.get(other, other)


def _job(source: Path, target: Path, compare: bool) -> Job:
    return Job(source, target, target.with_suffix(".compare.png") if compare else None)


def _check_distinct(jobs: Sequence[Job]) -> None:
    first: dict[Path, Path] = {}
    for job in jobs:
        for path in job.outputs():
            if path in first:
                raise ImageError(
                    f"{first[path]} and {job.source} would both be written to {path}; "
                    "derain them into different folders"
                )
            first[path] = job.source
