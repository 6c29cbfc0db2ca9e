"""What a session needs of the library that executes a model, whichever it is."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

Precision = Literal["f32", "bf16"]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model.

    Attributes:
        name: as in the file.
        dtype: as numpy calls it, "float32".
        shape: sizes; None where any will do.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Backend(Protocol):
    """An opened model; `run` may be called from several threads.

    Attributes:
        metadata: the file's own, by key.
        inputs: in the file's order.
        outputs: likewise.
        concurrency: how many runs at once pay; 1 where one uses all there is.
        largest_batch: most images in one run; None where any number will do.
    """

    concurrency: int
    largest_batch: int | None
    metadata: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run the network on its one input and return its one output, in the file's types.

        Raises:
            RuntimeError: the library failed, mostly for lack of memory; others as it likes.
        """
        ...

    def close(self) -> None:
        """Free everything now."""
        ...
