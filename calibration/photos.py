"""Clean photographs: public-domain ones that come with packages, and those of a folder."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import drsformer
from drsformer.errors import CalibrationError
from drsformer.extras import installing

# scikit-image's photographs that ship inside its wheel; public domain or CC0 (see its data/README)
BUNDLED = (
    "astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field",
    "rocket",
)  # fmt: skip
SHIPPED = ("coffee", "chelsea", "rocket")  # crops of these three are in our package
PHOTOS = Path(drsformer.__file__).parent / "photos"
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def bundled_photos() -> list[NDArray[np.uint8]]:
    """Return scikit-image's photographs, each uint8 (H, W, 3) RGB; grey ones repeat one channel.

    Raises:
        CalibrationError: scikit-image is not installed.
    """
    return [bundled_photo(name) for name in BUNDLED]


def bundled_photo(name: str) -> NDArray[np.uint8]:
    """Return one of `BUNDLED`, uint8 (H, W, 3) RGB.

    Raises:
        CalibrationError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise CalibrationError(
            "the bundled photographs come with scikit-image, which is not installed: "
            + installing("calibration")
        ) from error
    return _as_rgb(getattr(data, name)())


def shipped_photo(name: str) -> NDArray[np.uint8]:
    """Return a 256 x 256 crop of one of `SHIPPED`, uint8 RGB; needs no scikit-image."""
    return _read(PHOTOS / f"{name}.png")


def photos_from_folder(folder: Path) -> list[NDArray[np.uint8]]:
    """Read every image of a folder in name order, each uint8 (H, W, 3) RGB.

    Raises:
        CalibrationError: the folder has no image, or one of them cannot be read.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise CalibrationError(f"{folder} has no images ({', '.join(sorted(SUFFIXES))})")
    return [_read(path) for path in paths]


def _as_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return np.ascontiguousarray(image[..., :3])


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise CalibrationError(f"{path} is not an image that OpenCV can read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
