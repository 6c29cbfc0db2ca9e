"""The interface that `Model` expects of every library that executes models."""

import re
import textwrap
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

EXPORT_IT = "make one with `drs-export onnx`"  # what to do about a file that cannot be used


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
    """

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

    def close(self) -> None:
        """Free all memory of the model."""
        ...


def reason_of(error: Exception) -> str:
    """Return the core of a library's message: no line breaks, none of ONNX Runtime's prefixes."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    text = re.sub(r"^Load model from .* failed: ?", "", text)
    return textwrap.shorten(text, 240, placeholder=" ...").rstrip(".")
