"""Makes the picture of `--compare`: rainy on the left, derained on the right, labels above."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.contract import Image, SomeImage

from .pictures import Picture

LABELS = ("rainy", "derained")
GAP = 4  # pixels between the two
_BACKGROUND = 255
_INK = (32, 32, 32)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SMALLEST_HEADER, _LARGEST_HEADER = 14, 64  # pixels


def side_by_side(rainy: Image, derained: Image) -> Picture:
    """Put two images of one size next to each other, in 8 bits.

    Args:
        rainy: uint8 or uint16 (H, W, 3), RGB.
        derained: an image of the same shape and dtype.

    Returns:
        A picture W + 4 + W pixels wide, with both images unscaled below a header.
    """
    height, width, _ = rainy.shape
    header = int(np.clip(height // 16, _SMALLEST_HEADER, _LARGEST_HEADER))
    canvas = np.full((header + height, 2 * width + GAP, 3), _BACKGROUND, np.uint8)
    for left, image, label in zip((0, width + GAP), (rainy, derained), LABELS, strict=True):
        canvas[header:, left : left + width] = levels_8bit(image)
        canvas[:header, left : left + width] = _label(label, header, width)
    return Picture(canvas)


def middle_of(image: SomeImage, side: int) -> SomeImage:
    """Return the middle of an image, at most `side` x `side` pixels of it."""
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return cast(SomeImage, image[top : top + side, left : left + side])


def levels_8bit(image: Image) -> NDArray[np.uint8]:
    """Return an image in 8-bit levels; those of 16 bits are divided by 257 and rounded."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    return np.rint(image / 257.0).astype(np.uint8)


def _label(text: str, height: int, width: int) -> NDArray[np.uint8]:
    """Return a strip with a word as large as fits."""
    strip = np.full((height, width, 3), _BACKGROUND, np.uint8)
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
    scale = min(0.6 * height / text_height, 0.9 * width / text_width)
    place = (int(0.05 * width), int(0.5 * (height + scale * text_height)))
    thickness = max(1, round(scale))
    cv2.putText(strip, text, place, _FONT, scale, _INK, thickness, cv2.LINE_AA)
    return strip
