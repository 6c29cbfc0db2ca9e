"""Images to calibrate and to measure with: a folder's, or synthetic rain on public-domain photos.

The choice of pixels depends on the files alone, so the same folder gives the same scales.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import CONTRACT
from drsformer.errors import CalibrationError
from drsformer.runtime.media.comparison import levels_8bit
from drsformer.runtime.media.pairs import images_by_name, pairs_from_folders
from drsformer.runtime.media.pictures import read_image

from .photos import BUNDLED, SHIPPED, bundled_photo, shipped_photo
from .rain import rainy_from_clean, sample_rain

FEWEST_IMAGES = 4
CROP_COUNT = 32
CROP_SIDE = 256  # pixels
SYNTHETIC = "synthetic rain on scikit-image's photographs"

RGB = NDArray[np.uint8]  # (H, W, 3)


@dataclass(frozen=True)
class Sample:
    """An image to measure with.

    Attributes:
        name: its name in tables.
        rainy: uint8 (H, W, 3), RGB.
        clean: the target, of the same shape; None where there is none.
    """

    name: str
    rainy: RGB
    clean: RGB | None = None


@dataclass(frozen=True)
class Crops:
    """Images to calibrate with.

    Attributes:
        source: where they come from, in words, for the scales file.
        images: uint8 (side, side, 3), RGB.
    """

    source: str
    images: tuple[RGB, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the pixels of all crops, in order."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(np.ascontiguousarray(image).tobytes())
        return digest.hexdigest()


def crops_from_folder(folder: Path, count: int = CROP_COUNT, side: int = CROP_SIDE) -> Crops:
    """Cut crops from the images of a folder in turn; the number of a crop fixes its place.

    Args:
        folder: of rainy images; where it has a subfolder input/, the images of that.
        count: number of crops, at least `FEWEST_IMAGES`.
        side: side of a crop, pixels; a multiple of 8.

    Raises:
        CalibrationError: there are fewer than `FEWEST_IMAGES` images, or one is smaller than a
            crop.
        ImageError: the folder has no image, or one cannot be read.
    """
    _check(count, side)
    inner = folder / "input"
    paths = list(images_by_name(inner if inner.is_dir() else folder).values())
    if len(paths) < FEWEST_IMAGES:
        raise CalibrationError(
            f"{folder} has {len(paths)} images; calibration needs at least {FEWEST_IMAGES} "
            "different ones, better 16: add some"
        )
    images = []
    for number, path in enumerate(paths[i % len(paths)] for i in range(count)):
        images.append(_crop(levels_8bit(read_image(path).rgb), side, number, str(path)))
    return Crops(f"{len(paths)} images of {folder.name}", tuple(images))


def synthetic_crops(count: int = CROP_COUNT, side: int = CROP_SIDE) -> Crops:
    """Draw rain on crops of the bundled photographs.

    Raises:
        CalibrationError: scikit-image is not installed.
    """
    _check(count, side)
    images = []
    for number in range(count):
        name = BUNDLED[number % len(BUNDLED)]
        clean = _crop(bundled_photo(name), side, number, name)
        images.append(_rainy(clean, number))
    return Crops(SYNTHETIC, tuple(images))


def samples_from_folder(folder: Path, most: int | None = None) -> list[Sample]:
    """Read the images of a folder, with their targets where it has input/ and target/.

    Args:
        folder: of images, or of input/ and target/, whose files have the same names.
        most: largest number of images to read, in name order; by default all.

    Raises:
        ImageError: there is no image, a pair is incomplete, or one cannot be read.
        CalibrationError: the two images of a pair differ in size.
    """
    if (folder / "input").is_dir() and (folder / "target").is_dir():
        pairs = pairs_from_folders(folder / "input", folder / "target")
        return [_pair(pair.name, pair.rainy, pair.clean) for pair in pairs[:most]]
    paths = list(images_by_name(folder).items())
    return [Sample(name, levels_8bit(read_image(path).rgb)) for name, path in paths[:most]]


def middle(sample: Sample, side: int) -> Sample:
    """Return the middle of a sample, at most side x side pixels."""
    height, width, _ = sample.rainy.shape
    rows, columns = (
        slice(start := max(0, (length - side) // 2), start + side) for length in (height, width)
    )
    clean = None if sample.clean is None else sample.clean[rows, columns]
    return Sample(sample.name, np.ascontiguousarray(sample.rainy[rows, columns]), clean)


def synthetic_samples(side: int = CROP_SIDE) -> list[Sample]:
    """Return rainy and clean crops of three photographs, other crops than calibration's."""
    made = []
    for number, name in enumerate(SHIPPED, 1000):
        clean = _crop(shipped_photo(name), side, number, name)
        made.append(Sample(name, _rainy(clean, number), clean))
    return made


def _pair(name: str, rainy: Path, target: Path) -> Sample:
    images = [levels_8bit(read_image(path).rgb) for path in (rainy, target)]
    if images[0].shape != images[1].shape:
        raise CalibrationError(
            f"{rainy} and {target} differ in size; the images of a pair must have the same size"
        )
    return Sample(name, *images)


def _rainy(clean: RGB, number: int) -> RGB:
    rng = np.random.default_rng(number)
    rainy = rainy_from_clean(clean, sample_rain(rng), rng)
    return np.asarray(rainy, np.uint8)


def _crop(image: RGB, side: int, number: int, source: str) -> RGB:
    height, width, _ = image.shape
    if min(height, width) < side:
        raise CalibrationError(
            f"{source} is {width} x {height} pixels, smaller than a crop of {side} x {side}; "
            "leave it out, or choose smaller crops"
        )
    rng = np.random.default_rng(number)
    top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _check(count: int, side: int) -> None:
    if count < FEWEST_IMAGES:
        raise CalibrationError(f"{count} crops are too few; take at least {FEWEST_IMAGES}")
    if side < 2 * CONTRACT.multiple_of or side % CONTRACT.multiple_of:
        raise CalibrationError(
            f"a crop of {side} pixels cannot be taken; choose a multiple of "
            f"{CONTRACT.multiple_of}, at least {2 * CONTRACT.multiple_of}"
        )
