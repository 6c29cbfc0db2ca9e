"""Measures derained images against clean ones: Y-PSNR and SSIM, per image and on average."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.context import Context
from drsformer.contract import Image
from drsformer.errors import ImageError, ShapeError
from drsformer.metrics import y_psnr, y_ssim

from .derainer import Derainer
from .media.comparison import levels_8bit
from .media.dimensions import MOST_MEGAPIXELS
from .media.pairs import Pair, check_counterparts, images_by_name
from .media.pictures import read_image


@dataclass(frozen=True)
class Score:
    """How close an image is to its clean one.

    Attributes:
        psnr_db: PSNR of the luma, dB; infinite where the two are equal.
        ssim: SSIM of the luma, -1 to 1.
    """

    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class ImageScores:
    """An image's name, and its scores before and after deraining."""

    name: str
    rainy: Score
    derained: Score

    @property
    def gain_db(self) -> float:
        """PSNR gained, dB; 0 where both images equal the clean one."""
        if self.rainy.psnr_db == self.derained.psnr_db:
            return 0.0
        return self.derained.psnr_db - self.rainy.psnr_db


def evaluate_model(
    derainer: Derainer,
    pairs: Sequence[Pair],
    context: Context,
    most_megapixels: float = MOST_MEGAPIXELS,
) -> list[ImageScores]:
    """Derain each pair's rainy image and measure the result.

    Args:
        derainer: the opened model.
        pairs: what to derain and to measure against.
        context: is told about progress.
        most_megapixels: larger images are refused, millions of pixels.

    Returns:
        The scores of each pair. Images of 16 bits are derained in 16 and measured in 8.

    Raises:
        ImageError: an image cannot be read, or the images of a pair differ in size.
        DRSformerError: the model cannot take an image.
    """

    def derain(pair: Pair, rainy: Image) -> Image:
        return derainer.derain(rainy, context.advance)

    return _scores_of_pairs(pairs, derain, context, most_megapixels)


def evaluate_folder(
    folder: Path,
    pairs: Sequence[Pair],
    context: Context,
    most_megapixels: float = MOST_MEGAPIXELS,
) -> list[ImageScores]:
    """Measure derained images that exist already, matched by name without ending.

    Raises:
        ImageError: as for `evaluate_model`, or an image is missing from the folder.
    """
    found = images_by_name(folder)
    check_counterparts({pair.name: pair.rainy for pair in pairs}, folder, found)

    def read(pair: Pair, rainy: Image) -> Image:
        derained = read_image(found[pair.name], most_megapixels).rgb
        _check_same_size(derained, rainy, found[pair.name], pair.rainy)
        return derained

    return _scores_of_pairs(pairs, read, context, most_megapixels)


def _scores_of_pairs(
    pairs: Sequence[Pair],
    restore: Callable[[Pair, Image], Image],
    context: Context,
    most_megapixels: float,
) -> list[ImageScores]:
    scores = []
    for number, pair in enumerate(pairs, 1):
        context.step(f"{pair.rainy.name} ({number} of {len(pairs)})")
        rainy, clean = (read_image(path, most_megapixels).rgb for path in (pair.rainy, pair.clean))
        _check_same_size(rainy, clean, pair.rainy, pair.clean)
        scores.append(_scores(pair, rainy, restore(pair, rainy), levels_8bit(clean)))
    return scores


def _scores(pair: Pair, rainy: Image, derained: Image, clean: NDArray[np.uint8]) -> ImageScores:
    try:
        return ImageScores(pair.name, _score(rainy, clean), _score(derained, clean))
    except ShapeError as error:
        raise ShapeError(f"{pair.rainy}: {error}") from error


def _check_same_size(one: Image, other: Image, one_path: Path, other_path: Path) -> None:
    """Raise ImageError where height or width differ."""
    if one.shape != other.shape:
        raise ImageError(
            f"{one_path} is {one.shape[1]} x {one.shape[0]} pixels and {other_path} is "
            f"{other.shape[1]} x {other.shape[0]}; a pair must have one size"
        )


def mean_scores(scores: Sequence[ImageScores]) -> ImageScores:
    """Return the averages, named "mean"; dB are averaged as dB, as the literature does."""
    return ImageScores(
        "mean", _mean([s.rainy for s in scores]), _mean([s.derained for s in scores])
    )


def dict_from_scores(scores: Sequence[ImageScores], source: str) -> dict[str, Any]:
    """Return the scores and their mean as plain values.

    An infinite PSNR (of equal images), and what is computed from it, becomes None.

    Args:
        scores: what was measured.
        source: what made the derained images: the model or the folder.
    """
    return {
        "derained_by": source,
        "images": [_dict_from(one) for one in scores],
        "mean": _dict_from(mean_scores(scores)),
    }


def _score(image: Image, clean: NDArray[np.uint8]) -> Score:
    levels = levels_8bit(image)
    return Score(y_psnr(levels, clean), y_ssim(levels, clean))


def _mean(scores: Sequence[Score]) -> Score:
    count = len(scores)
    return Score(sum(s.psnr_db for s in scores) / count, sum(s.ssim for s in scores) / count)


def _dict_from(scores: ImageScores) -> dict[str, Any]:
    return {
        "name": scores.name,
        "rainy": {"psnr_db": _finite(scores.rainy.psnr_db), "ssim": scores.rainy.ssim},
        "derained": {"psnr_db": _finite(scores.derained.psnr_db), "ssim": scores.derained.ssim},
        "gain_db": _finite(scores.gain_db),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
