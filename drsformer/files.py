"""Files appear whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drsformer.errors import DRSformerError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` only if the block succeeds.

    The temporary name keeps the suffix, since encoders choose the format by it. On any failure
    it is removed and an existing `path` stays as it was.

    Raises:
        DRSformerError: the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix
        )
        os.close(handle)
    except OSError as error:
        raise DRSformerError(
            f"cannot write {path}: {error.strerror}; choose another place"
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        _make_durable(temporary)
        temporary.replace(path)
    except OSError as error:
        raise DRSformerError(
            f"cannot write {path}: {error.strerror or error}; nothing was left behind"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _make_durable(path: Path) -> None:
    """Flush to disk, so that a full disk shows before the rename; give usual permissions."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
