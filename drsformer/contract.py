"""What goes into the network and what comes out, defined once for every artifact and runtime.

    image  uint8 or uint16 (H, W, 3), RGB
      -> divided by the dtype's maximum, in float32
      -> padded right and bottom by reflection to multiples of 8
    input  float32 (N, 3, H', W'), RGB, [0, 1]
      -> network ->
    output float32 (N, 3, H', W'), RGB, not clamped
      -> clamped to [0, 1], cropped, times the dtype's maximum, rounded half to even
    image  the input's dtype and size

A model exported with `--io uint8` does the scaling, the clamping and the rounding itself:

    input  uint8 (N, H', W', 3), RGB, padded as above
      -> network ->
    output uint8 (N, H', W', 3), RGB

Reflection does not repeat the edge (d c b | a b c d | c b a). Where a side is shorter than its
padding, reflection goes to and fro: b a b a ... for two pixels; a single pixel is repeated. The
authors' recipe fails on such sides, and gives the same bits on all others. Only numpy is needed
here.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ModelError, ShapeError

__all__ = [
    "CHANNELS",
    "CONTRACT",
    "CONTRACTS",
    "IO",
    "METADATA_KEY",
    "Batch",
    "Contract",
    "Image",
    "Pixels",
    "SomeImage",
    "check_image",
    "contract_from_json",
    "cropped",
    "image_from_output",
    "input_from_image",
    "padded_size",
    "pixels_from_image",
    "shape_text",
]

Image = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W, 3) RGB
SomeImage = TypeVar("SomeImage", bound=Image)  # the result has the dtype of the argument
Batch = NDArray[np.float32]  # (N, 3, H, W) RGB
Pixels = NDArray[np.uint8]  # (N, H, W, 3) RGB
IO = Literal["float32", "float16", "uint8"]

METADATA_KEY = "contract"
CHANNELS = 3


@dataclass(frozen=True)
class Contract:
    """The interface of an exported model; stored as JSON inside every artifact.

    Attributes:
        input_name: name of the one input tensor.
        output_name: name of the one output tensor.
        layout: axes of both tensors.
        color: order of the channels.
        dtype: element type of both tensors, an `IO`.
        value_range: what 0 and the image dtype's maximum become.
        multiple_of: height and width of the input must be multiples of this, pixels.
        padding: how an image reaches such a size.
        output_range: how the output's values come into range.
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
CONTRACTS: dict[str, Contract] = {
    "float32": CONTRACT,
    "float16": replace(CONTRACT, dtype="float16"),
    "uint8": Contract(
        layout="NHWC", dtype="uint8", value_range=(0.0, 255.0), output_range="clamped inside",
        rounding="half to even, inside",
    ),
}  # fmt: skip


def contract_from_json(text: str, *, source: str) -> Contract:
    """Read a contract and check that this version can keep it.

    Args:
        text: JSON written by `Contract.to_json`.
        source: the artifact's name, for the error.

    Raises:
        ModelError: the text is not a contract, or is one with other rules.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        values["value_range"] = tuple(values["value_range"])
        contract = Contract(**values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{source}: its contract cannot be read ({error}); export it again with this version"
        ) from error
    expected = CONTRACTS.get(str(contract.dtype), CONTRACT)
    for field in fields(Contract):
        found, known = getattr(contract, field.name), getattr(expected, field.name)
        if found != known:
            raise ModelError(
                f"{source}: its contract says {field.name} = {found!r}, this version only knows "
                f"{known!r}; use the drs-export version that made it, or export it again"
            )
    return contract


def shape_text(shape: Iterable[int]) -> str:
    """Return a shape as text, such as "1x3x64x64"."""
    return "x".join(map(str, shape))


def padded_size(
    height: int, width: int, multiple_of: int = CONTRACT.multiple_of
) -> tuple[int, int]:
    """Return height and width rounded up to the next multiple, pixels."""
    return -(-height // multiple_of) * multiple_of, -(-width // multiple_of) * multiple_of


def check_image(image: NDArray[Any]) -> None:
    """Raise ShapeError unless `image` is uint8 or uint16 (H, W, 3) with at least one pixel."""
    if not isinstance(image, np.ndarray):
        raise ShapeError(
            f"an image is a {type(image).__name__}; expected a numpy array of uint8 or uint16, "
            "(height, width, 3), RGB; numpy.asarray makes one of a PIL image"
        )
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
        ShapeError: the image has another dtype or shape.
    """
    padded = _padded(image)
    scaled = padded.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def pixels_from_image(image: Image) -> Pixels:
    """Pad one image for a model that takes uint8.

    Args:
        image: uint8 (H, W, 3), RGB.

    Returns:
        uint8 (1, H', W', 3), H' and W' the next multiples of 8; contiguous.

    Raises:
        ShapeError: the image has another dtype, as one of 16 bits, or another shape.
    """
    padded = _padded(image)
    if padded.dtype != np.uint8:
        raise ShapeError(
            f"an image has {padded.dtype} samples, and the model takes 8-bit pixels (--io uint8); "
            "use one exported with --io float32, or an 8-bit image"
        )
    return np.ascontiguousarray(padded[None], np.uint8)


def _padded(image: Image) -> NDArray[Any]:
    check_image(image)
    height, width, _ = image.shape
    padded_height, padded_width = padded_size(height, width)
    padding = ((0, padded_height - height), (0, padded_width - width), (0, 0))
    return np.pad(image, padding, mode="reflect")


def image_from_output(output: Batch, like: SomeImage) -> SomeImage:
    """Clamp, crop and round one output.

    Args:
        output: float32 (1, 3, H', W'), RGB; values may lie outside [0, 1].
        like: the image that the input was made from; gives height, width and dtype.

    Returns:
        An image of `like`'s shape and dtype.
    """
    inside = cropped(output[0].transpose(1, 2, 0), like)
    levels = np.clip(inside, 0.0, 1.0) * np.float32(np.iinfo(like.dtype).max)
    return cast(SomeImage, np.ascontiguousarray(np.rint(levels).astype(like.dtype)))


def cropped(padded: NDArray[Any], like: Image) -> NDArray[Any]:
    """Return the part of (H', W', 3) that the image `like` had before it was padded."""
    height, width, _ = like.shape
    return np.ascontiguousarray(padded[:height, :width])
