"""Measures derained images against clean targets: Y-PSNR and SSIM, per image and on average."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.context import Context
from drsformer.contract import Image
from drsformer.errors import ImageError, ShapeError
from drsformer.files import written_whole
from drsformer.metrics import y_psnr, y_ssim

from .derainer import Derainer
from .media.comparison import levels_8bit
from .media.pairs import Pair, check_counterparts, images_by_name
from .media.pictures import read_image


@dataclass(frozen=True)
class Score:
    """How close an image is to its target.

    Attributes:
        psnr_db: of the luma; infinite where the two are equal.
        ssim: of the luma, -1 to 1.
    """

    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class Row:
    """One line of the table: a name, and the scores before and after deraining."""

    name: str
    rainy: Score
    derained: Score

    @property
    def gain_db(self) -> float:
        """PSNR gained, dB; 0 where both images equal the target."""
        if self.rainy.psnr_db == self.derained.psnr_db:
            return 0.0
        return self.derained.psnr_db - self.rainy.psnr_db


def evaluate_model(derainer: Derainer, pairs: Sequence[Pair], context: Context) -> list[Row]:
    """Derain each pair's rainy image and measure the result.

    Returns:
        A row per pair. Images of 16 bits are derained in 16 and measured in 8.

    Raises:
        ImageError: an image cannot be read, or its size is not its target's.
        DRSformerError: the model cannot take an image.
    """

    def derain(pair: Pair, rainy: Image) -> Image:
        return derainer.derain(rainy, context.advance)

    return _rows(pairs, derain, context)


def evaluate_folder(folder: Path, pairs: Sequence[Pair], context: Context) -> list[Row]:
    """Measure derained images that exist already, matched by name without ending.

    Raises:
        ImageError: as for `evaluate_model`, or an image is missing from the folder.
    """
    found = images_by_name(folder)
    check_counterparts({pair.name: pair.rainy for pair in pairs}, folder, found)

    def read(pair: Pair, rainy: Image) -> Image:
        derained = read_image(found[pair.name]).rgb
        _check_same_size(derained, rainy, found[pair.name], pair.rainy)
        return derained

    return _rows(pairs, read, context)


def _rows(
    pairs: Sequence[Pair], restore: Callable[[Pair, Image], Image], context: Context
) -> list[Row]:
    rows = []
    for number, pair in enumerate(pairs, 1):
        context.step(f"{pair.rainy.name} ({number} of {len(pairs)})")
        rainy, target = read_image(pair.rainy).rgb, read_image(pair.target).rgb
        _check_same_size(rainy, target, pair.rainy, pair.target)
        rows.append(_row(pair, rainy, restore(pair, rainy), levels_8bit(target)))
    return rows


def _row(pair: Pair, rainy: Image, derained: Image, clean: NDArray[np.uint8]) -> Row:
    try:
        return Row(pair.name, _score(rainy, clean), _score(derained, clean))
    except ShapeError as error:
        raise ShapeError(f"{pair.rainy}: {error}") from error


def _check_same_size(one: Image, other: Image, one_path: Path, other_path: Path) -> None:
    """Raise ImageError where height or width differ."""
    if one.shape != other.shape:
        raise ImageError(
            f"{one_path} is {one.shape[1]} x {one.shape[0]} pixels and {other_path} is "
            f"{other.shape[1]} x {other.shape[0]}; a pair must have one size"
        )


def mean_row(rows: Sequence[Row]) -> Row:
    """Return the row of the averages; dB are averaged as dB, as the literature does."""
    return Row("mean", _mean([r.rainy for r in rows]), _mean([r.derained for r in rows]))


def write_json(
    rows: Sequence[Row], path: Path, *, source: str, inputs: Iterable[Path] = ()
) -> None:
    """Write the rows and their mean as JSON, whole or not at all.

    An infinite PSNR (equal images), and what is computed from it, becomes null.

    Args:
        rows: what was measured.
        path: the new file; an existing one is replaced.
        source: what made the derained images: the model or the folder.
        inputs: files that must not be overwritten.

    Raises:
        DRSformerError: the place cannot be written.
    """
    report = {
        "derained_by": source,
        "images": [_as_json(row) for row in rows],
        "mean": _as_json(mean_row(rows)),
    }
    with written_whole(path, inputs=inputs) as temporary:
        temporary.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", "utf-8")


def _score(image: Image, clean: NDArray[np.uint8]) -> Score:
    levels = levels_8bit(image)
    return Score(y_psnr(levels, clean), y_ssim(levels, clean))


def _mean(scores: Sequence[Score]) -> Score:
    count = len(scores)
    return Score(sum(s.psnr_db for s in scores) / count, sum(s.ssim for s in scores) / count)


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "rainy": {"psnr_db": _finite(row.rainy.psnr_db), "ssim": row.rainy.ssim},
        "derained": {"psnr_db": _finite(row.derained.psnr_db), "ssim": row.derained.ssim},
        "gain_db": _finite(row.gain_db),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
