"""Deterministic stand-in weights for a DRSformer state dict.

No trained checkpoint ships with this project, and default initialisation leaves the
network close to the identity, which hides mistakes in attention, top-k and gating.
`fill` gives every tensor values that depend only on its name and shape, so two
implementations with the same keys hold the same weights:

    model.load_state_dict(fill({k: tuple(v.shape) for k, v in model.state_dict().items()}))

Values are representable in float16, so a half-precision copy of them is exact.
"""

import zlib

import numpy as np


def fill_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the float32 array for one parameter, from its name and shape alone."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "temperature":
        value = rng.uniform(1.0, 6.0, shape) * rng.choice(
            [1, 1, 1, -1], shape
        )  # sign matters to top-k
    elif leaf in {"attn1", "attn2", "attn3", "attn4"}:
        value = rng.uniform(0.1, 0.4, shape)
    elif leaf == "weight" and len(shape) == 1:  # LayerNorm scale
        value = rng.uniform(0.6, 1.4, shape)
    elif leaf == "bias" and "body" in name:  # LayerNorm offset
        value = rng.uniform(-0.2, 0.2, shape)
    elif leaf == "bias":
        value = rng.uniform(-0.05, 0.05, shape)
    else:  # convolution or linear: variance-preserving
        fan_in = int(np.prod(shape[1:]))
        value = rng.standard_normal(shape) * (1.4 / np.sqrt(fan_in))
        if name.startswith("output."):
            value *= 0.001  # keep the predicted residual inside the image range
    return value.astype(np.float16).astype(np.float32)


def fill(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return {name: float32 array} for a {name: shape} table."""
    return {name: fill_tensor(name, tuple(shape)) for name, shape in shapes.items()}
