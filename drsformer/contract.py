"""What goes into the network and what comes out, written once for every artifact and runtime.

    image  uint8 or uint16 (H, W, 3), RGB
      -> divided by the dtype's maximum, in float32
      -> padded right and bottom by reflection to multiples of 8
    input  float32 (N, 3, H', W'), RGB, [0, 1]
      -> network ->
    output float32 (N, 3, H', W'), RGB, not clamped
      -> clamped to [0, 1], cropped, times the dtype's maximum, rounded half to even
    image  the input's dtype and size

Reflection does not repeat the edge (d c b | a b c d | c b a). Where a side is shorter than its
padding it bounces: b a b a ... for two pixels; a single pixel is repeated. The authors' recipe
fails there; above, the two agree bit for bit. Only numpy is needed here.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ModelError, ShapeError

Image = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W, 3) RGB
Batch = NDArray[np.float32]  # (N, 3, H, W) RGB

METADATA_KEY = "contract"
DTYPES = ("float32", "float16")
CHANNELS = 3


@dataclass(frozen=True)
class Contract:
    """The interface of an exported model; stored as JSON inside every artifact.

    Attributes:
        input_name: name of the one input tensor.
        output_name: name of the one output tensor.
        layout: axes of both tensors.
        color: order of the channels.
        dtype: element type of both tensors, "float32" or "float16".
        value_range: what 0 and the image dtype's maximum become.
        multiple_of: height and width of the input must be multiples of this, pixels.
        padding: how an image gets there.
        output_range: what the network leaves to post-processing.
        rounding: how a value becomes an integer level.
    """

    input_name: str = "input"
    output_name: str = "output"
    layout: str = "NCHW"
    color: str = "RGB"
    dtype: str = "float32"
    value_range: tuple[float, float] = (0.0, 1.0)
    multiple_of: int = 8
    padding: str = "reflect right and bottom, crop after"
    output_range: str = "clamp after"
    rounding: str = "half to even"

    def to_json(self) -> str:
        """Return the contract as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)


CONTRACT = Contract()


def contract_from_json(text: str, *, source: str) -> Contract:
    """Read a contract and check that this version can obey it.

    Args:
        text: what `Contract.to_json` wrote.
        source: the artifact's name, for the error.

    Raises:
        ModelError: not a contract, or one with other rules than ours.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        values["value_range"] = tuple(values["value_range"])
        contract = Contract(**values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{source}: its contract cannot be read ({error}); export it again with this version"
        ) from error
    for field in fields(Contract):
        found, known = getattr(contract, field.name), getattr(CONTRACT, field.name)
        if found != known and not (field.name == "dtype" and found in DTYPES):
            raise ModelError(
                f"{source}: its contract says {field.name} = {found!r}, this version only knows "
                f"{known!r}; use the drs-export version that made it, or export it again"
            )
    return contract


def padded_size(
    height: int, width: int, multiple_of: int = CONTRACT.multiple_of
) -> tuple[int, int]:
    """Return height and width rounded up to the next multiple, pixels."""
    return -(-height // multiple_of) * multiple_of, -(-width // multiple_of) * multiple_of


def check_image(image: NDArray[Any]) -> None:
    """Raise ShapeError unless `image` is uint8 or uint16 (H, W, 3) with at least one pixel."""
    if image.dtype not in (np.uint8, np.uint16):
        raise ShapeError(f"an image has dtype {image.dtype}; expected uint8 or uint16 RGB")
    if image.ndim != 3 or image.shape[2] != CHANNELS or image.size == 0:
        raise ShapeError(f"an image has shape {image.shape}; expected (height, width, 3), RGB")


def input_from_image(image: Image) -> Batch:
    """Scale and pad one image.

    Args:
        image: uint8 or uint16 (H, W, 3), RGB.

    Returns:
        float32 (1, 3, H', W') in [0, 1], H' and W' the next multiples of 8; contiguous.

    Raises:
        ShapeError: another dtype or shape.
    """
    check_image(image)
    height, width, _ = image.shape
    padded_height, padded_width = padded_size(height, width)
    padding = ((0, padded_height - height), (0, padded_width - width), (0, 0))
    padded = np.pad(image, padding, mode="reflect")
    scaled = padded.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def image_from_output(output: Batch, like: Image) -> Image:
    """Clamp, crop and round one output.

    Args:
        output: float32 (1, 3, H', W'), RGB; may leave [0, 1].
        like: the image it was made from; gives height, width and dtype.

    Returns:
        An image of `like`'s shape and dtype.
    """
    height, width, _ = like.shape
    cropped = output[0, :, :height, :width].transpose(1, 2, 0)
    levels = np.clip(cropped, 0.0, 1.0) * np.float32(np.iinfo(like.dtype).max)
    return np.ascontiguousarray(np.rint(levels).astype(like.dtype))
