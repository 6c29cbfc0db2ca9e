"""The interface that `Model` expects of every library that executes models."""

import re
import textwrap
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

EXPORT_IT = "make one with `drs-export onnx`"  # what to do about a file that cannot be used


Sizes = tuple[tuple[int, int], ...]  # heights and widths, pixels


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model.

    Attributes:
        name: the name in the file.
        dtype: numpy's name of the element type, such as "float32".
        shape: the sizes; None where the model takes several.
        least: the smallest sizes that an engine takes; None where any is taken.
        most: the largest sizes that an engine takes; None where any is taken.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    least: tuple[int, ...] | None = None
    most: tuple[int, ...] | None = None


class Backend(Protocol):
    """An opened model; `run` may be called from several threads.

    Attributes:
        metadata: the file's own metadata, by key.
        inputs: the model's inputs, in the file's order.
        outputs: the model's outputs, in the file's order.
        concurrency: how many runs at once are fastest; 1 where one run uses all cores.
        largest_batch: most images in one run; None for any number.
        samples: heights and widths, pixels, whose mean memory a pixel is that of most sizes, where
            runs take the memory of this computer; none where they take a GPU's.
    """

    samples: Sizes
    concurrency: int
    largest_batch: int | None
    metadata: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run the network on its one input and return its one output, in the file's types.

        Raises:
            RuntimeError: the library failed, mostly for lack of memory; some libraries raise
                exceptions of their own.
        """
        ...

    def is_large(self, pixels: int) -> bool:
        """Whether an input of this many pixels is run in a way that takes less memory."""
        ...

    def prepare(self, shape: tuple[int, ...], *, as_large: bool) -> None:
        """Do what comes before the first run of an input shape.

        Args:
            shape: of the input.
            as_large: whether this and later inputs are run as large ones, whatever their size.
        """
        ...

    def release(self) -> None:
        """Give back what is kept from earlier runs for the next of their shapes."""
        ...

    def close(self) -> None:
        """Free all memory of the model."""
        ...


def reason_of(error: Exception) -> str:
    """Return the core of a library's message: no line breaks, none of ONNX Runtime's prefixes."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    text = re.sub(r"^Load model from .* failed: ?", "", text)
    return textwrap.shorten(text, 240, placeholder=" ...").rstrip(".")
