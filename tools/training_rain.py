"""Rain for training: the streaks of the benchmarks, and what only real rain shows.

`drsformer.calibration.rain` draws what the published image pairs show. Photographs of real rain
show more: a dense layer of thin, faint streaks far away; few large ones close by, out of focus; a
thin mist; splashes on the ground; light that adds up before the camera's tone curve, not after it;
and noise and JPEG blocks on top of all of it.

    clean --> mist --> streaks of three distances, in linear light --> splashes --> rainy

What the camera adds after the rain (noise, JPEG) is put on the rainy image and on its target alike:
the network is to remove the rain and to leave everything else as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drsformer.calibration.rain import Streaks, rainy_from_clean, sample_rain, streak_layer

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Light = NDArray[np.float32]  # (H, W), 0 and more, in units of white

KINDS = ("none", "light", "medium", "heavy", "real")
GAMMA = 2.2  # of the tone curve, near enough to sRGB's
NOISE_SHARE = 0.25  # of the pairs that get sensor noise
JPEG_SHARE = 0.35  # of the pairs that are compressed
SPLASH_SHARE = 0.3  # of the pictures with real rain that have splashes
MIST_SHARE = 0.4
LINEAR_SHARE = 0.6


@dataclass(frozen=True)
class Distance:
    """How streaks look at one distance from the camera: ranges, sizes in pixels."""

    density: tuple[float, float]
    length: tuple[float, float]
    width: tuple[float, float]
    brightness: tuple[float, float]
    blur: tuple[float, float]


FAR = Distance((0.4, 3.0), (6, 30), (1.0, 1.3), (0.03, 0.22), (0.3, 0.7))
MIDDLE = Distance((0.05, 0.5), (15, 80), (1.0, 2.2), (0.08, 0.4), (0.3, 1.0))
# lit drops against a dark ground: few, sharp, nearly white
LIT = Distance((0.004, 0.06), (8, 90), (1.0, 3.5), (0.4, 1.0), (0.3, 0.8))
NEAR = Distance((0.01, 0.25), (40, 220), (3.0, 9.0), (0.05, 0.3), (1.2, 4.5))
LAYERS = ((FAR, 0.7), (MIDDLE, 0.6), (LIT, 0.3), (NEAR, 0.55))  # with the share that has each


def pair_from_clean(clean: Image, kind: str, rng: np.random.Generator) -> tuple[Image, Image]:
    """Return a rainy image and its target, uint8 (H, W, 3), RGB.

    Args:
        clean: uint8 (H, W, 3), RGB.
        kind: one of `KINDS`.
        rng: source of all randomness; equal states give equal images.
    """
    if kind == "none":
        rainy = clean
    elif kind == "real":
        rainy = real_rain(clean, rng)
    else:
        rainy = rainy_from_clean(clean, sample_rain(rng, kind), rng)
    for share, camera in ((NOISE_SHARE, sensor_noise), (JPEG_SHARE, jpeg)):
        if rng.random() < share:
            develop = camera(rng, clean.shape)
            rainy, clean = develop(rainy), develop(clean)
    return rainy, clean


def real_rain(clean: Image, rng: np.random.Generator) -> Image:
    """Let rain of several distances fall, as a photograph shows it; uint8 (H, W, 3), RGB."""
    image = clean.astype(np.float32) / np.float32(255)
    if rng.random() < MIST_SHARE:
        image = misty(image, rng)
    gamma = GAMMA if rng.random() < LINEAR_SHARE else 1.0
    # in linear light the same added light shows less on bright ground and more on dark
    light = rain_light((clean.shape[0], clean.shape[1]), rng)[:, :, None]
    image = (image**gamma + light**gamma) ** np.float32(1 / gamma)
    if rng.random() < SPLASH_SHARE:
        splashes = splash_light((clean.shape[0], clean.shape[1]), rng)[:, :, None]
        image = image + splashes * (1 - np.minimum(image, 1))
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def rain_light(shape: tuple[int, int], rng: np.random.Generator) -> Light:
    """Return the light of streaks at one or more distances that share the wind."""
    lean = float(np.clip(rng.normal(0, 12), -40, 40))
    chosen = [distance for distance, share in LAYERS if rng.random() < share]
    total: Light = np.zeros(shape, np.float32)
    for distance in chosen or [MIDDLE]:
        total += streak_layer(shape, streaks_at(distance, lean, rng), rng)
    return total


def streaks_at(distance: Distance, lean: float, rng: np.random.Generator) -> Streaks:
    """Draw the look of one layer; `lean` in degrees from the vertical."""

    def between(bounds: tuple[float, float]) -> float:
        return float(np.exp(rng.uniform(*np.log(bounds))))

    return Streaks(
        density=between(distance.density),
        angle_degrees=lean + float(rng.normal(0, 3)),
        angle_jitter=between((0.5, 8.0)),
        length_pixels=between(distance.length),
        length_jitter=float(rng.uniform(0.2, 0.6)),
        width_pixels=between(distance.width),
        brightness=between(distance.brightness),
        brightness_jitter=float(rng.uniform(0.2, 0.7)),
        taper_steps=int(rng.integers(1, 4)),
        blur_pixels=between(distance.blur),
    )


def misty(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Add a thin veil to an image, (H, W, 3) in [0, 1], thicker at the top or at the bottom.

    The network is asked to clear only a thin veil: a thick one belongs to the scene.
    """
    ends = rng.uniform(0.0, 0.12, 2)
    veil = np.linspace(ends[0], ends[1], image.shape[0], dtype=np.float32)[:, None, None]
    return image + veil * (np.float32(rng.uniform(0.6, 0.9)) - image)


def splash_light(shape: tuple[int, int], rng: np.random.Generator) -> Light:
    """Return the light of small splashes and drops, soft dots of 1 to 4 pixels."""
    height, width = shape
    dots = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(5, 120))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
        cv2.ellipse(dots, centre, axes, 0, 0, 360, float(rng.integers(30, 200)), -1)
    cv2.GaussianBlur(dots, (0, 0), float(rng.uniform(0.4, 1.2)), dst=dots)
    return dots.astype(np.float32) / np.float32(255)


def sensor_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Callable[[Image], Image]:
    """Return a function that adds the same noise, 0.5 to 5 levels, to any image of a shape."""
    noise = rng.normal(0, rng.uniform(0.5, 5), shape)
    return lambda image: np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def jpeg(rng: np.random.Generator, shape: tuple[int, ...]) -> Callable[[Image], Image]:
    """Return a function that compresses any image with the same quality, 60 to 96."""
    quality = int(rng.integers(60, 97))

    def develop(image: Image) -> Image:
        _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)

    return develop
