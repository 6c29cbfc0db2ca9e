"""Procedural clean images, for training a deraining network beyond its few photographs.

The images are "dead leaves": shapes of power-law sizes that hide one another, which gives the
edge and contrast statistics of photographs. Their fills and the strokes above them include
stripes, fences, grass, wires and hair. These resemble rain, but belong to the clean image, so a
network learns to keep them. They are mostly dark, tinted or curved: a straight grey-white line
could not be told from rain by anyone.

    gradient --> leaves (flat, shaded, striped, hatched or grainy) --> strokes --> soft lens

`furred` gives any clean image the same difficulty: it repaints it in hair or grass.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.errors import CalibrationError

Fill = Callable[[int, int, np.random.Generator], NDArray[np.uint8]]

# The smallest leaf radius differs between images: some are busy, some are calm.
_SMALLEST_RADII = (3.0, 12.0)
# Leaf areas add up to this many times the image area.
_LEAF_COVER = 3.0
_SUBPIXEL_BITS = 4


def dead_leaves(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draws one random clean image.

    Args:
        shape: Height and width, 8 or more each.
        rng: Source of all randomness; equal states give equal images.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        CalibrationError: If a side is shorter than 8 pixels.
    """
    if len(shape) != 2 or min(shape) < 8:
        raise CalibrationError(f"The texture shape is {shape}; use (H, W) with 8 or more each.")
    image = _shaded(shape[0], shape[1], rng)
    for radius in _radii(shape, rng).tolist():
        _add_leaf(image, radius, rng)
    if rng.random() < 0.5:
        _add_strokes(image, rng)
    if rng.random() < 0.6:
        cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.8)), dst=image)
    return image


def furred(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Repaints a clean image in strokes of fur or grass that follow a slowly turning direction.

    Args:
        image: uint8 (H, W, 3), RGB.
        rng: Source of all randomness; equal states give equal images.

    Returns:
        uint8 (H, W, 3), RGB; each stroke has about the colour of the image at its middle.

    Raises:
        CalibrationError: If the image is not uint8 RGB.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise CalibrationError(
            f"The image is {image.dtype} of shape {image.shape}; pass uint8 (H, W, 3), RGB."
        )
    height, width = image.shape[:2]
    length, contrast = float(rng.uniform(5.0, 30.0)), float(rng.uniform(0.08, 0.4))
    thickness = int(rng.choice([1, 2], p=[0.75, 0.25]))
    count = int(height * width * rng.uniform(0.4, 1.5) / (length * thickness))
    middles = rng.random((count, 2)) * (width, height)
    columns, rows = middles.astype(int).T
    turns = _direction_field(height, width, rng)[rows, columns] + rng.normal(0.0, 0.12, count)
    lengths = length * np.exp(rng.normal(0.0, 0.3, count))
    halves = 0.5 * lengths[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    bends = halves[:, ::-1] * (1, -1) * rng.normal(0.0, 0.25, (count, 1))
    paths = np.stack([middles - halves, middles + bends, middles + halves], axis=1)
    tints = image[rows, columns] * np.exp(rng.normal(0.0, contrast, (count, 1)))
    tints += rng.normal(0.0, 6.0, (count, 3))
    painted = np.empty_like(image)
    cv2.GaussianBlur(image, (0, 0), 1.5, dst=painted)
    for path, tint in zip(paths, tints, strict=True):
        _line(painted, path, tint, thickness)
    return painted


def _direction_field(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Directions in radians that turn slowly over an image: float32 (height, width)."""
    turn = rng.normal(0.0, 0.5, (3, 3)) + rng.uniform(0.0, np.pi)
    field: NDArray[np.float32] = np.empty((height, width), np.float32)
    cv2.resize(turn.astype(np.float32), (width, height), dst=field)
    return field


def _radii(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Leaf radii, float64 (N,), from a power law with exponent -3; they cover the image."""
    low, high = float(rng.uniform(*_SMALLEST_RADII)), 0.5 * max(shape)
    # Even if all leaves had the smallest size, these would be enough.
    uniform = rng.random(4 + int(shape[0] * shape[1] * _LEAF_COVER / (np.pi * low**2)))
    radii = (low**-2 - uniform * (low**-2 - high**-2)) ** -0.5
    needed = np.searchsorted(np.cumsum(np.pi * radii**2), _LEAF_COVER * shape[0] * shape[1])
    return radii[: int(needed) + 1]


def _add_leaf(image: NDArray[np.uint8], radius: float, rng: np.random.Generator) -> None:
    """Paints one leaf over a uint8 (H, W, 3) image."""
    height, width = image.shape[:2]
    column, row = (rng.random(2) * (width, height)).tolist()
    left, right = max(0, int(column - radius)), min(width, int(column + radius) + 1)
    top, bottom = max(0, int(row - radius)), min(height, int(row + radius) + 1)
    mask: NDArray[np.uint8] = np.zeros((bottom - top, right - left), np.uint8)
    _draw_leaf(mask, column - left, row - top, radius, rng)
    fill = _random_fill(radius, rng)(bottom - top, right - left, rng)
    cv2.copyTo(fill, mask, image[top:bottom, left:right])


def _draw_leaf(
    mask: NDArray[np.uint8], column: float, row: float, radius: float, rng: np.random.Generator
) -> None:
    """Sets a disc, triangle or quadrangle to 255 in a uint8 (H, W) mask."""
    scale = 1 << _SUBPIXEL_BITS
    corners = int(rng.integers(2, 5))
    if corners == 2:
        middle = (int(column * scale), int(row * scale))
        cv2.circle(mask, middle, int(radius * scale), 255, -1, cv2.LINE_8, _SUBPIXEL_BITS)
        return
    turns = np.sort(rng.random() + (np.arange(corners) + 0.6 * rng.random(corners)) / corners)
    points = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1) * radius
    polygon = np.rint((points + (column, row)) * scale).astype(np.int32)
    cv2.fillConvexPoly(mask, polygon, 255, cv2.LINE_8, _SUBPIXEL_BITS)


def _random_fill(radius: float, rng: np.random.Generator) -> Fill:
    """Picks how to fill a leaf; small ones are plain because no pattern would show."""
    if radius < 8:
        return _flat
    fills: list[Fill] = [_flat, _shaded, _striped, _hatched, _grainy]
    return fills[int(rng.choice(5, p=[0.2, 0.25, 0.2, 0.15, 0.2]))]


def _flat(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One colour: uint8 (height, width, 3)."""
    return np.full((height, width, 3), _colour(rng), np.uint8)


def _shaded(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A smooth blend of four corner colours: uint8 (height, width, 3)."""
    base = _colour(rng).astype(np.float64)
    corners = np.clip(base + rng.normal(0.0, 25.0, (2, 2, 3)), 0, 255)
    down = np.linspace(0.0, 1.0, height)[:, None, None]
    across = np.linspace(0.0, 1.0, width)[None, :, None]
    left = corners[0, 0] + down * (corners[1, 0] - corners[0, 0])
    right = corners[0, 1] + down * (corners[1, 1] - corners[0, 1])
    fill: NDArray[np.uint8] = np.rint(left + across * (right - left)).astype(np.uint8)
    return fill


def _striped(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two colours in a sine or hard grating, like fences and cloth: uint8 (height, width, 3)."""
    angle, period = rng.uniform(0.0, np.pi), float(np.exp(rng.uniform(np.log(3), np.log(20))))
    columns = np.arange(width)[None, :] * np.cos(angle)
    phase = (columns + np.arange(height)[:, None] * np.sin(angle)) * (2 * np.pi / period)
    wave = 0.5 + 0.5 * np.sin(phase)
    if rng.random() < 0.5:
        wave = (wave > rng.uniform(0.2, 0.8)).astype(np.float64)
    one, other = _colour(rng).astype(np.float64), _colour(rng).astype(np.float64)
    fill: NDArray[np.uint8] = np.rint(one + wave[:, :, None] * (other - one)).astype(np.uint8)
    return fill


def _hatched(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Many short strokes of about one direction, like grass and fur: uint8 (height, width, 3)."""
    image = _shaded(height, width, rng)
    lean, length = rng.uniform(0.0, np.pi), float(rng.uniform(6.0, 25.0))
    for _ in range(min(150, 4 + height * width // 40)):
        angle = lean + rng.normal(0.0, 0.25)
        start = rng.random(2) * (width, height)
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        colour = image[int(start[1]), int(start[0])] + rng.normal(0.0, 40.0, 3)
        _line(image, np.stack([start, end]), colour, 1)
    return image


def _grainy(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A colour with coarse or fine noise, like sand and bark: uint8 (height, width, 3)."""
    grain = int(rng.integers(1, 4))
    coarse = rng.normal(0.0, 1.0, (height // grain + 1, width // grain + 1, 1))
    noise = np.repeat(np.repeat(coarse, grain, axis=0), grain, axis=1)[:height, :width]
    noisy = _colour(rng) + noise * rng.uniform(5.0, 35.0)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _add_strokes(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draws wires, twigs or hair of one colour family across a uint8 (H, W, 3) image."""
    height, width = image.shape[:2]
    colour, lean = _colour(rng) * rng.uniform(0.2, 1.0), rng.uniform(0.0, 2 * np.pi)
    bend, thickness = rng.uniform(0.0, 0.08), int(rng.integers(1, 4))
    for _ in range(int(rng.integers(2, 30))):
        turns = lean + np.cumsum(rng.normal(rng.normal(0.0, bend), bend, 16))
        steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(2.0, 16.0)
        path = rng.random(2) * (width, height) + np.cumsum(steps, axis=0)
        _line(image, path, colour + rng.normal(0.0, 12.0, 3), thickness)


def _line(
    image: NDArray[np.uint8], path: NDArray[np.float64], colour: NDArray[np.float64], width: int
) -> None:
    """Draws a smooth-edged polyline; path is float64 (N, 2), x before y; colour 3 values."""
    points = np.rint(path * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    tint = np.clip(colour, 0, 255).tolist()
    cv2.polylines(image, [points], False, tint, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _colour(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A colour of natural saturation: a random brightness with a moderate tint; uint8 (3,)."""
    tinted = 255.0 * rng.beta(1.2, 1.4) + rng.normal(0.0, 28.0, 3)
    return np.clip(np.rint(tinted), 0, 255).astype(np.uint8)
