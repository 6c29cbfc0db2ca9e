"""Pairs rainy images with clean ones: files of one name, whatever their endings."""

from dataclasses import dataclass
from pathlib import Path

from drsformer.errors import ImageError

from .formats import kind_from_name

_LISTED = 5  # names in an error


@dataclass(frozen=True)
class Pair:
    """A rainy and a clean image, files of one name up to the ending."""

    name: str
    rainy: Path
    clean: Path


def pairs_from_folders(rainy: Path, clean: Path) -> list[Pair]:
    """Match the images of two folders by their names without endings, in name order.

    Raises:
        ImageError: a folder is missing or empty, or a name occurs twice or has no counterpart.
    """
    rainy_files, clean_files = images_by_name(rainy), images_by_name(clean)
    check_counterparts(rainy_files, clean, clean_files)
    check_counterparts(clean_files, rainy, rainy_files)
    return [Pair(name, file, clean_files[name]) for name, file in rainy_files.items()]


def images_by_name(folder: Path) -> dict[str, Path]:
    """Return the images right in a folder in name order, by their names without endings.

    Raises:
        ImageError: the folder is missing or holds no image, or a name occurs twice.
    """
    try:
        files = sorted(path for path in folder.iterdir() if kind_from_name(path) == "image")
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    found: dict[str, Path] = {}
    for file in files:
        if file.name.startswith("."):
            continue
        if file.stem in found:
            raise ImageError(f"{found[file.stem]} and {file.name} share a name; keep one of them")
        found[file.stem] = file
    if not found:
        raise ImageError(f"{folder}: the folder holds no image")
    return found


def check_counterparts(wanted: dict[str, Path], folder: Path, found: dict[str, Path]) -> None:
    """Raise ImageError unless each name of `wanted` is in `found`, the images of `folder`."""
    missing = [str(file) for name, file in wanted.items() if name not in found]
    if missing:
        more = ", ..." if len(missing) > _LISTED else ""
        raise ImageError(
            f"{folder} lacks the counterparts of {len(missing)} images: "
            f"{', '.join(missing[:_LISTED])}{more}; give both folders the same names"
        )
