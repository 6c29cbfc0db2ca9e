"""An opened model file, checked to be one of ours.

Whatever can be wrong with a file is found when it is opened, as a `ModelError`: the file cannot be
read, is cut short, or holds another network.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import (
    CHANNELS,
    CONTRACT,
    METADATA_KEY,
    Batch,
    Contract,
    Pixels,
    contract_from_json,
)
from drsformer.errors import DRSformerError, ModelError, ShapeError
from drsformer.files import check_readable

from .backends.base import EXPORT_IT, Sizes, TensorInfo, reason_of
from .backends.providers import open_backend
from .fitting import Limits
from .options import RunOptions


class Model:
    """A loaded model; `run` may be called from several threads.

    Attributes:
        path: the file.
        file_bytes: its size when it was opened.
        kind: "onnx" or "engine".
        provider: the name of what runs the model.
        contract: the interface that the file promises.
        batch: the only batch size that the model takes, or None for any.
        height: the only input height that the model takes, pixels, or None for any multiple of 8.
        width: the only input width that the model takes, pixels, or None for any multiple of 8.
        limits: the smallest and the largest sizes that it takes.
    """

    def __init__(self, path: Path, options: RunOptions) -> None:
        """Open a file and check that it is a model that this version can feed.

        Raises:
            ModelError: the file is unreadable, broken, or not one of ours.
            ProviderError: the provider is unknown, cannot be used, or does not take the precision.
        """
        # ONNX Runtime reports a missing or unreadable file as a protobuf error
        check_readable(path, ModelError, EXPORT_IT)
        self.file_bytes = path.stat().st_size
        opened = open_backend(path, options)
        self.path, self.kind, self.provider = path, opened.kind, opened.provider
        self._backend = opened.backend
        try:
            self.contract = self._read_contract()
            self.batch, self.height, self.width = self._check_tensors()
            self.limits = self._limits()
        except BaseException:
            self._backend.close()
            raise

    def run(self, batch: Batch) -> Batch:
        """Run the network of a model that does not take pixels; see `takes_pixels`.

        Args:
            batch: float32 (N, 3, H, W), RGB, [0, 1]; H and W multiples of 8.

        Returns:
            float32 (N, 3, H, W), RGB, not clamped.

        Raises:
            ShapeError: the model was exported for another size, or for fewer images.
            ModelError: the file has changed since it was opened, or the library that executes the
                model failed, mostly for lack of memory.
        """
        self._check_size(*batch.shape[2:])
        result = self._run(batch.astype(self.contract.dtype, copy=False))
        return np.asarray(result, np.float32)

    @property
    def concurrency(self) -> int:
        """How many runs at once are fastest."""
        return self._backend.concurrency

    @property
    def largest_batch(self) -> int | None:
        """The most images that one run takes, or None for any number."""
        return self.batch or self._backend.largest_batch

    @property
    def samples(self) -> Sizes:
        """The sizes on which memory is measured; see `Backend`."""
        return self._backend.samples

    @property
    def is_deployed(self) -> bool:
        """Whether the file holds our form of the network, not the plain one."""
        return self._backend.metadata.get("form") == "deployed"

    def is_large(self, pixels: int) -> bool:
        """Whether an image of this many pixels, padded, is run as `Backend.is_large` says."""
        return self._backend.is_large(pixels * (self.batch or 1))

    def input_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return the shape of the smallest input of this height and width, pixels."""
        sizes = {"N": self.batch or 1, "C": CHANNELS, "H": height, "W": width}
        return tuple(sizes[axis] for axis in self.contract.layout)

    def prepare(self, shape: tuple[int, ...], *, as_large: bool) -> None:
        """Do what comes before the first run of an input shape; see `Backend.prepare`."""
        self._backend.prepare(shape, as_large=as_large)

    def release(self) -> None:
        """Give back what is kept from earlier runs for the next of their shapes."""
        self._backend.release()

    def close(self) -> None:
        """Free all memory of the model."""
        self._backend.close()

    @property
    def takes_pixels(self) -> bool:
        """Whether the model takes and gives 8-bit pixels, so that `run_pixels` can be used."""
        return self.contract.dtype == "uint8"

    def run_pixels(self, pixels: Pixels) -> Pixels:
        """Run a model that `takes_pixels`: uint8 (N, H, W, 3) to the same; raises as `run` does."""
        self._check_size(*pixels.shape[1:3])
        return np.asarray(self._run(pixels), np.uint8)

    def _run(self, fed: NDArray[Any]) -> NDArray[Any]:
        try:
            output = self._backend.run(self._with_fixed_batch(fed))
        except DRSformerError:
            raise
        except Exception as error:  # the libraries' exceptions have no closer common base
            raise ModelError(
                f"{self.path} failed on an input of shape {fed.shape}: {reason_of(error)}; "
                "if memory ran out, derain in pieces with --tile"
            ) from error
        result = output[: len(fed)]
        self._check_result(result, fed.shape)
        return result

    def _check_result(self, result: NDArray[Any], shape: tuple[int, ...]) -> None:
        if result.shape != shape:
            raise ModelError(
                f"{self.path} gave {result.shape} for an input of {shape}, which breaks its "
                f"contract; {EXPORT_IT}"
            )
        if result.dtype.kind == "f" and not np.isfinite(result).all():
            raise ModelError(
                f"{self.path} gave NaN or Inf for an input of shape {shape}; its weights or its "
                "precision are broken, validate it with `drs-export validate`"
            )

    def _with_fixed_batch(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Repeat the last image until a model exported for N images at once gets its N."""
        if self.batch is None or self.batch == len(batch):
            return batch
        if len(batch) > self.batch:
            raise ShapeError(
                f"a batch has {len(batch)} images; {self.path} was exported for {self.batch}"
            )
        return np.concatenate([batch, np.repeat(batch[-1:], self.batch - len(batch), axis=0)])

    def _check_size(self, height: int, width: int) -> None:
        if height == (self.height or height) and width == (self.width or width):
            return
        accepted = f"{self.height or 'any'}x{self.width or 'any'}"
        made, remedy = (
            ("built", "build it with other --shapes") if self.kind == "engine"
            else ("exported", "export it with free sizes")
        )  # fmt: skip
        square = self.height is not None and self.height == self.width
        tiling = f"use --tile {self.height} for images of at least that size, or " if square else ""
        raise ShapeError(
            f"an image or tile is {height}x{width} (height x width, padded to multiples of 8), but "
            f"{self.path} was {made} for {accepted} only; {tiling}{remedy}"
        )

    def _read_contract(self) -> Contract:
        metadata = self._backend.metadata
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{self.path} is an ONNX model without our {METADATA_KEY!r} metadata, so how to "
                f"feed it is unknown; {EXPORT_IT}"
            )
        return contract_from_json(metadata[METADATA_KEY], source=str(self.path))

    def _check_tensors(self) -> tuple[int | None, int | None, int | None]:
        """Check that the tensors fit the contract; return the fixed batch, height and width."""
        inputs, outputs = self._backend.inputs, self._backend.outputs
        found = _describe(inputs), _describe(outputs)
        dtype = self.contract.dtype
        expected = f"{self.contract.input_name}: {dtype}", f"{self.contract.output_name}: {dtype}"
        axis = self.contract.layout.index("C")
        if found != expected or any(
            len(tensor.shape) != 4 or tensor.shape[axis] not in (CHANNELS, None)
            for tensor in (*inputs, *outputs)
        ):
            layout = f"({', '.join(self.contract.layout)})".replace("C", str(CHANNELS))
            shapes = ", ".join(_shape_text(tensor) for tensor in (*inputs, *outputs))
            raise ModelError(
                f"{self.path} has {found[0]} -> {found[1]} of shapes {shapes}; its contract says "
                f"{expected[0]} -> {expected[1]} of {layout}; {EXPORT_IT}"
            )
        sizes = dict(zip(self.contract.layout, inputs[0].shape, strict=True))
        return sizes["N"], sizes["H"], sizes["W"]

    def _limits(self) -> Limits:
        """Return the sizes that the model takes, by its shape or an engine's range."""
        fed = self._backend.inputs[0]
        axes = [self.contract.layout.index(axis) for axis in "HW"]
        if fed.least is not None and fed.most is not None:
            (low, wide), (high, far) = ([sizes[a] for a in axes] for sizes in (fed.least, fed.most))
            return Limits((low, wide), (high, far))
        any_size = CONTRACT.multiple_of
        return Limits((self.height or any_size, self.width or any_size), (self.height, self.width))


def _describe(tensors: Sequence[TensorInfo]) -> str:
    return ", ".join(f"{tensor.name}: {tensor.dtype}" for tensor in tensors)


def _shape_text(tensor: TensorInfo) -> str:
    """Return "?x3x?x?" for a tensor of three channels and otherwise free size."""
    return "x".join("?" if size is None else str(size) for size in tensor.shape)
