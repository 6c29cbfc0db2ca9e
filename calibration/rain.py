"""Synthetic rain on clean photographs, for training and for calibration.

The rain of the published image pairs (Rain100/200, light and heavy) is grey light that is added
to the photograph and clipped at white. Its streaks come in two kinds, often in one picture:

    drawn     hard, aliased lines of one grey level, long, one to four pixels wide
    filmed    soft streaks that fade towards both ends, shorter, brightness varies from drop to drop

A rainfall is therefore a sum of streak layers, plus an optional veil of mist:

    layers --> streak_layer --> sum --> blend with the clean image --> round and clip

Streaks are drawn with integer arithmetic and blurred in fixed point, so that equal seeds give
equal bytes and do not depend on the vector instructions of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.errors import CalibrationError

Blend = Literal["add", "screen", "alpha"]

KINDS = ("light", "medium", "heavy", "any")

# Lines are placed on a grid of 1/16 pixel.
_SUBPIXEL_BITS = 4
# Share of each kind when any rain will do: the heavy one is the hardest to learn.
_KIND_SHARES = {"light": 0.33, "medium": 0.2, "heavy": 0.47}
# More streaks than this per pixel look like fog and only cost time.
_MOST_STREAKS_PER_PIXEL = 0.03


@dataclass(frozen=True)
class Streaks:
    """One layer of rain streaks that share a direction and a look.

    Attributes:
        density: Streak area per image area, 0 or more; the covered share of the image is
            about 1 - exp(-density).
        angle_degrees: Mean lean from the vertical; positive leans right at the top.
        angle_jitter: Standard deviation of the lean, degrees.
        length_pixels: Median streak length.
        length_jitter: Standard deviation of the logarithm of the length.
        width_pixels: Mean width, 1 or more; each streak has a whole number of pixels.
        brightness: Mean light added at the middle of a streak, 0 to 1 (1 is white on black).
        brightness_jitter: Standard deviation of the brightness, as a share of it.
        taper_steps: Brightness steps from the ends to the middle; 1 is a flat streak.
        blur_pixels: Standard deviation of the blur, 0 for none.
        smooth_edges: Draw with anti-aliasing; otherwise staircase lines.
    """

    density: float
    angle_degrees: float = 0.0
    angle_jitter: float = 0.0
    length_pixels: float = 40.0
    length_jitter: float = 0.3
    width_pixels: float = 1.0
    brightness: float = 0.3
    brightness_jitter: float = 0.2
    taper_steps: int = 1
    blur_pixels: float = 0.0
    smooth_edges: bool = True


@dataclass(frozen=True)
class Rain:
    """One rainfall over one image.

    Attributes:
        layers: Streak layers; their light is summed.
        haze: Share of the image that a grey mist replaces, 0 to 1.
        haze_level: Brightness of that mist, 0 to 1.
        blend: How streak light meets the image: "add" clips at white, "screen" saturates
            softly, "alpha" paints white with the light as opacity.
    """

    layers: tuple[Streaks, ...] = ()
    haze: float = 0.0
    haze_level: float = 0.8
    blend: Blend = "add"


def rainy_from_clean(
    clean: NDArray[np.uint8], rain: Rain, seed: int | np.random.Generator
) -> NDArray[np.uint8]:
    """Draw rain on a clean image.

    Args:
        clean: uint8 (H, W, 3), RGB, 0..255.
        rain: The rainfall.
        seed: A whole number, or a generator that is drawn from.

    Returns:
        uint8 (H, W, 3), RGB; equal bytes for equal arguments.

    Raises:
        CalibrationError: the image is not uint8 RGB.
    """
    _check_image(clean)
    rng = np.random.default_rng(seed)
    light = _light((clean.shape[0], clean.shape[1]), rain, rng)
    image = clean.astype(np.float32)
    image += np.float32(rain.haze) * (np.float32(255.0 * rain.haze_level) - image)
    blended = _blend(image, light[:, :, None], rain.blend)
    return np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def streak_layer(
    shape: tuple[int, int], streaks: Streaks, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the light of one streak layer.

    Args:
        shape: Height and width.
        streaks: Look of the layer.
        rng: Source of the positions and of the jitter.

    Returns:
        float32 (H, W), 0..1.
    """
    _check_streaks(streaks)
    canvas: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    _draw_streaks(canvas, streaks, rng)
    if streaks.blur_pixels > 0:
        # On uint8 OpenCV blurs in fixed point, which is the same on every machine.
        cv2.GaussianBlur(canvas, (0, 0), streaks.blur_pixels, dst=canvas)
    return canvas.astype(np.float32) / np.float32(255.0)


def sample_rain(rng: np.random.Generator, kind: str = "any") -> Rain:
    """Draw a random rainfall; they vary more than in any one benchmark.

    Args:
        rng: Source of randomness.
        kind: "light", "medium", "heavy", or "any" for a mix of the three.

    Returns:
        The rainfall.

    Raises:
        CalibrationError: the kind is unknown.
    """
    if kind not in KINDS:
        raise CalibrationError(f"Unknown rain kind {kind!r}; use one of {', '.join(KINDS)}.")
    if kind == "any":
        kind = str(rng.choice(list(_KIND_SHARES), p=list(_KIND_SHARES.values())))
    angle = _sample_angle(rng)
    samplers = {"light": _light_layers, "medium": _medium_layers, "heavy": _heavy_layers}
    haze = float(rng.uniform(0.02, 0.15)) if rng.random() < 0.08 else 0.0
    blend: Blend = "add"
    if rng.random() < 0.15:
        blend = "screen" if rng.random() < 0.6 else "alpha"
    return Rain(samplers[kind](rng, angle), haze, float(rng.uniform(0.6, 0.9)), blend)


def _light_layers(rng: np.random.Generator, angle: float) -> tuple[Streaks, ...]:
    """Draw few soft streaks, in one or two layers."""
    layers = [_filmed(rng, angle, density=_log_uniform(rng, 0.05, 0.3), brightness=(0.08, 0.3))]
    if rng.random() < 0.4:
        layers.append(_filmed(rng, angle, _log_uniform(rng, 0.01, 0.05), (0.2, 0.45)))
    if rng.random() < 0.12:
        layers[0] = _drawn(rng, angle, _log_uniform(rng, 0.02, 0.15), (0.06, 0.22))
    return tuple(layers)


def _medium_layers(rng: np.random.Generator, angle: float) -> tuple[Streaks, ...]:
    """Draw streaks of middling density, of either kind, sometimes crossing."""
    first = _filmed if rng.random() < 0.6 else _drawn
    layers = [first(rng, angle, _log_uniform(rng, 0.2, 0.8), (0.1, 0.3))]
    if rng.random() < 0.6:
        other = angle if rng.random() < 0.7 else _sample_angle(rng)
        layers.append(_filmed(rng, other, _log_uniform(rng, 0.06, 0.3), (0.1, 0.4)))
    return tuple(layers)


def _heavy_layers(rng: np.random.Generator, angle: float) -> tuple[Streaks, ...]:
    """Draw a dense layer of hard lines under one or two brighter or crossing layers."""
    first = _drawn if rng.random() < 0.8 else _filmed
    layers = [first(rng, angle, _log_uniform(rng, 0.3, 1.2), (0.15, 0.42))]
    if rng.random() < 0.75:
        near = angle + float(rng.normal(0.0, 4.0))
        layers.append(_filmed(rng, near, _log_uniform(rng, 0.2, 0.8), (0.15, 0.5)))
    if rng.random() < 0.35:
        other = angle if rng.random() < 0.5 else _sample_angle(rng)
        second = _drawn if rng.random() < 0.5 else _filmed
        layers.append(second(rng, other, _log_uniform(rng, 0.1, 0.5), (0.1, 0.35)))
    return tuple(layers)


def _drawn(
    rng: np.random.Generator, angle: float, density: float, brightness: tuple[float, float]
) -> Streaks:
    """Return long lines of nearly one grey level, mostly with hard edges."""
    return Streaks(
        density=density,
        angle_degrees=angle,
        angle_jitter=_log_uniform(rng, 0.1, 8.0),
        length_pixels=_log_uniform(rng, 25.0, 220.0),
        length_jitter=float(rng.uniform(0.0, 0.5)),
        width_pixels=_log_uniform(rng, 1.0, 2.6),
        brightness=float(rng.uniform(*brightness)),
        brightness_jitter=float(rng.uniform(0.0, 0.5)) * float(rng.random() < 0.6),
        blur_pixels=float(rng.uniform(0.3, 0.8)) * float(rng.random() < 0.3),
        smooth_edges=bool(rng.random() < 0.35),
    )


def _filmed(
    rng: np.random.Generator, angle: float, density: float, brightness: tuple[float, float]
) -> Streaks:
    """Return soft streaks that fade at both ends and differ in brightness."""
    return Streaks(
        density=density,
        angle_degrees=angle,
        angle_jitter=_log_uniform(rng, 0.5, 12.0),
        length_pixels=_log_uniform(rng, 12.0, 70.0),
        length_jitter=float(rng.uniform(0.2, 0.6)),
        width_pixels=_log_uniform(rng, 1.0, 2.2),
        brightness=float(rng.uniform(*brightness)),
        brightness_jitter=float(rng.uniform(0.2, 0.7)),
        taper_steps=int(rng.integers(2, 4)),
        blur_pixels=float(rng.uniform(0.3, 0.8)) * float(rng.random() < 0.6),
    )


def _sample_angle(rng: np.random.Generator) -> float:
    """Return a lean near the vertical, as in the benchmarks, and now and then of a storm."""
    spread = 9.0 if rng.random() < 0.82 else 26.0
    return float(np.clip(rng.normal(0.0, spread), -45.0, 45.0))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number from low to high, uniform in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _light(shape: tuple[int, int], rain: Rain, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the light of all layers: float32 (H, W), 0 or more, in units of white."""
    total: NDArray[np.float32] = np.zeros(shape, np.float32)
    for layer in rain.layers:
        total += streak_layer(shape, layer, rng)
    return total


def _blend(
    image: NDArray[np.float32], light: NDArray[np.float32], blend: Blend
) -> NDArray[np.float32]:
    """Blend an image (H, W, 3), 0..255, with light (H, W, 1), 0 or more; may exceed 255."""
    white = np.float32(255.0)
    if blend == "add":
        added: NDArray[np.float32] = image + white * light
        return added
    share = np.minimum(light, np.float32(1.0))
    if blend == "alpha":
        # Real drops scatter the sky, which is seldom pure white.
        white = np.float32(235.0)
    covered: NDArray[np.float32] = image + share * (white - image)
    return covered


def _draw_streaks(canvas: NDArray[np.uint8], streaks: Streaks, rng: np.random.Generator) -> None:
    """Draw all streaks of a layer onto a uint8 (H, W) canvas, the brightest on top."""
    count = _streak_count(canvas.shape, streaks, rng)
    middles, halves = _streak_lines(canvas.shape, streaks, count, rng)
    levels = rng.normal(1.0, streaks.brightness_jitter, count) * (255.0 * streaks.brightness)
    # A fractional mean width becomes a mix of the two whole widths around it.
    widths = np.maximum(1, np.floor(streaks.width_pixels + rng.random(count))).astype(int)
    middles, halves, levels = _widened(middles, halves, levels, widths)
    middles, halves, levels = _tapered(middles, halves, levels, streaks.taper_steps)
    grey = np.clip(np.rint(levels), 0, 255).astype(int)
    greys = grey.tolist()
    scale = 1 << _SUBPIXEL_BITS
    starts = np.rint((middles - halves) * scale).astype(int).tolist()
    ends = np.rint((middles + halves) * scale).astype(int).tolist()
    line_type = cv2.LINE_AA if streaks.smooth_edges else cv2.LINE_8
    # Drawing in this order keeps the maximum where streaks of one layer overlap.
    for index in np.argsort(grey, kind="stable").tolist():
        cv2.line(canvas, starts[index], ends[index], greys[index], 1, line_type, _SUBPIXEL_BITS)


def _streak_count(shape: tuple[int, ...], streaks: Streaks, rng: np.random.Generator) -> int:
    """Draw the number of streaks whose middle lies on the canvas or near enough to reach it."""
    reach = streaks.length_pixels
    area = (shape[0] + reach) * (shape[1] + reach)
    per_pixel = streaks.density / (streaks.length_pixels * streaks.width_pixels)
    return int(rng.poisson(area * min(per_pixel, _MOST_STREAKS_PER_PIXEL)))


def _streak_lines(
    shape: tuple[int, ...], streaks: Streaks, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw middles and half extents of the streaks: two float64 (count, 2), x before y, pixels."""
    reach = streaks.length_pixels
    size = np.array([shape[1], shape[0]], np.float64)
    middles = rng.random((count, 2)) * (size + reach) - 0.5 * reach
    radians = np.deg2rad(rng.normal(streaks.angle_degrees, streaks.angle_jitter, count))
    lengths = streaks.length_pixels * np.exp(rng.normal(0.0, streaks.length_jitter, count))
    direction = np.stack([np.sin(radians), -np.cos(radians)], axis=1)
    return middles, 0.5 * lengths[:, None] * direction


def _widened(
    middles: NDArray[np.float64],
    halves: NDArray[np.float64],
    levels: NDArray[np.float64],
    widths: NDArray[np.int_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Replace each streak by as many lines, side by side, as it is pixels wide.

    OpenCV draws thick lines an odd number of pixels wide; two pixels is the commonest width here.
    """
    middles, halves = np.repeat(middles, widths, axis=0), np.repeat(halves, widths, axis=0)
    first = np.repeat(np.cumsum(widths) - widths, widths)
    # Neighbours lie side by side because no rain leans far beyond 45 degrees.
    middles[:, 0] += np.arange(len(first)) - first
    return middles, halves, np.repeat(levels, widths)


def _tapered(
    middles: NDArray[np.float64],
    halves: NDArray[np.float64],
    levels: NDArray[np.float64],
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Replace each streak by `steps` nested ones: the shorter, the brighter."""
    shares = np.arange(1, steps + 1) / steps
    shrink = 1.0 - shares + 1.0 / steps
    return (
        np.tile(middles, (steps, 1)),
        np.concatenate([halves * factor for factor in shrink]),
        np.concatenate([levels * share for share in shares]),
    )


def _check_image(clean: NDArray[np.uint8]) -> None:
    """Raise CalibrationError unless an image is uint8 (H, W, 3)."""
    if not isinstance(clean, np.ndarray) or clean.dtype != np.uint8:
        found = getattr(clean, "dtype", type(clean).__name__)
        raise CalibrationError(f"The clean image is {found}; pass uint8 values from 0 to 255.")
    if clean.ndim != 3 or clean.shape[2] != 3 or clean.size == 0:
        raise CalibrationError(f"The clean image has shape {clean.shape}; pass (H, W, 3) RGB.")


def _check_streaks(streaks: Streaks) -> None:
    """Raise CalibrationError for settings that cannot be drawn."""
    if streaks.density < 0 or streaks.brightness < 0 or streaks.blur_pixels < 0:
        raise CalibrationError(f"{streaks} has a negative setting; use 0 or more.")
    if streaks.length_pixels < 1 or streaks.width_pixels < 1 or streaks.taper_steps < 1:
        raise CalibrationError(f"{streaks} has a size below 1; use 1 or more.")
