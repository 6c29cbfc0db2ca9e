"""Reads regular files only; writes files whole or not at all, and never over an input."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drsformer.errors import DRSformerError


def check_readable(path: Path, error_type: type[DRSformerError], remedy: str) -> None:
    """Raise `error_type` unless `path` is a regular file that is readable and not empty.

    Pipes and devices are refused: opening one can wait for ever.

    Args:
        path: the file to be read.
        error_type: the class to raise.
        remedy: what the user can do; ends the message.
    """
    try:
        if path.exists() and not path.is_file():
            raise error_type(f"cannot read {path}: it is not a regular file; {remedy}")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise error_type(f"cannot read {path}: {error.strerror}; {remedy}") from error
    if empty:
        raise error_type(f"{path} is empty; {remedy}")


# how ONNX Runtime and OpenVINO say that a file of weights, which lies beside the model, is missing
_LOST_WEIGHTS = re.compile(
    r'External data path does not exist: "([^"]+)"|externally stored data in file \(([^,)]+)'
)


def lost_weights(reason: str, path: Path) -> str | None:
    """Return the whole message for a model whose file of weights is missing; None for another.

    Args:
        reason: what a library says of a model that it cannot open.
        path: the model.
    """
    found = _LOST_WEIGHTS.search(reason)
    if found:
        return weights_missing(path, found[1] or found[2])
    cut_short = "External initializer" in reason and "file_length" in reason
    return weights_missing(path, "a file beside it") if cut_short else None


def weights_missing(path: Path, weights: str) -> str:
    """Return the message for a model whose weights should lie beside it."""
    return (
        f"{path} has its weights in {Path(weights).name}, which is missing or cut short; copy both "
        "files into one folder"
    )


@contextmanager
def written_whole(path: Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` only if the block succeeds.

    The temporary name keeps the suffix, since encoders choose the format by it. On any failure the
    temporary file and the folders made for it are removed, and an existing `path` stays as it was.

    Args:
        path: the file to write.
        inputs: files that must not be overwritten, also through links.

    Raises:
        DRSformerError: the folder cannot be written, the disk is full, or `path` is a folder or
            one of the inputs.
    """
    try:
        _check_target(path, inputs)
        made = _missing_parents(path)
    except OSError as error:  # mostly a name that is too long
        raise DRSformerError(
            f"cannot write {path}: {error.strerror}; choose another name"
        ) from error
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix
            )
            os.close(handle)
        except OSError as error:
            raise DRSformerError(
                f"cannot write {path}: {error.strerror}; choose another place"
            ) from error
        yield from _renamed_at_the_end(Path(name), path)
    except BaseException:
        for folder in made:  # deepest first; a folder that holds something stays
            with suppress(OSError):
                folder.rmdir()
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_target(path: Path, inputs: Iterable[Path]) -> None:
    if path.is_dir():
        raise DRSformerError(f"cannot write {path}: it is a folder; choose another name")
    if path.exists() and not path.is_file():
        raise DRSformerError(
            f"cannot write {path}: it is a device or a pipe, which would be replaced by a file; "
            "choose another name"
        )
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise DRSformerError(
                f"{path} is an input, and inputs are never overwritten; choose another name"
            )


def _missing_parents(path: Path) -> list[Path]:
    """Return the folders above `path` that do not exist yet, deepest first."""
    return [folder for folder in path.parents if not os.path.lexists(folder)]


def _renamed_at_the_end(temporary: Path, path: Path) -> Iterator[Path]:
    try:
        yield temporary
        _make_durable(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # about another file, which it names
            raise
        raise DRSformerError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _make_durable(path: Path) -> None:
    """Flush to disk, so that a full disk is noticed before the rename; set usual permissions."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def validation_report_path(onnx_file: Path) -> Path:
    """Return the path of the validation report that lies beside an exported file."""
    return onnx_file.with_suffix(".validation.json")
