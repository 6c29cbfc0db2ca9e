"""The runtime in one class: an exported model that turns rainy images into clean ones.

    with Derainer("derain.onnx") as derainer:
        clean = derainer.derain(rainy)          # uint8 (H, W, 3) RGB, the same size back

A Derainer may be used from several threads at once; the backend's threads are then shared.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np

from drsformer.contract import (
    Image,
    SomeImage,
    check_image,
    cropped,
    image_from_output,
    input_from_image,
    padded_size,
    pixels_from_image,
)
from drsformer.errors import ModelError, ShapeError

from .backends.base import Precision
from .bounded_map import in_order
from .model import Session
from .tiles import Blend, OnTile, Tiling, derain_tiles

# A batch pays off while images are small; above these bounds it only costs memory.
MAX_BATCH = 8
MAX_BATCH_PIXELS = 2**19


class Derainer:
    """An opened model; a context manager.

    Attributes:
        path: the model file.
        contract: the interface read from it.
        provider: the name of the execution provider in use.
        tiling: how images are cut, or None for whole images.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        provider: str | None = None,
        threads: int | None = None,
        precision: Precision = "f32",
        tile: int | None = None,
        overlap: int = 32,
        blend: Blend = "uniform",
    ) -> None:
        """Open a model.

        Args:
            path: an ONNX file written by `drs-export onnx` or `convert`, or an engine by `trt`.
            provider: one of `drsformer.runtime.backends.providers.NAMES`; None for the CPU, or for
                the library that an engine was built with.
            threads: the backend's threads, at least 1; None for one per core.
            precision: "f32" computes as the file says; "bf16" is a hint to provider "openvino" to
                compute in bfloat16 where that is faster (see docs/performance.md for its PSNR).
            tile: longest side of a tile, pixels, a multiple of 8; None for whole images.
            overlap: pixels that neighbouring tiles share; only looked at with `tile`.
            blend: "uniform" is the authors' rule, "feather" leaves no seams; only with `tile`.

        Raises:
            ModelError: the file is unreadable, broken, or not one of ours.
            ProviderError: the provider is unknown, not installed or cannot start, or does not
                take this precision.
            ShapeError: tile, overlap or blend cannot be used.
        """
        self.path = Path(path)
        self.tiling = None if tile is None else Tiling(tile, overlap, blend)
        self._session: Session | None = Session(self.path, provider, threads, precision)
        self.contract = self._session.contract
        self.provider = provider or self._session.provider

    def derain(self, image: SomeImage, on_tile: OnTile | None = None) -> SomeImage:
        """Derain one image.

        Args:
            image: uint8 or uint16 (H, W, 3), RGB, of any size from 1x1.
            on_tile: called with (done, in all) after each tile; a whole image is one tile.

        Returns:
            A new image of the same shape and dtype.

        Raises:
            ShapeError: not such an image, or its size fits neither model nor tiling.
            ModelError: the network failed, or the Derainer was closed.
        """
        session = self._opened()
        check_image(image)
        if self.tiling is not None:
            return derain_tiles(
                image, session.run, self.tiling, on_tile, at_once=session.concurrency
            )
        if session.takes_pixels:
            pixels = session.run_pixels(pixels_from_image(image))[0]
            result = cast(SomeImage, cropped(pixels, like=image))
        else:
            result = image_from_output(session.run(input_from_image(image)), like=image)
        if on_tile:
            on_tile(1, 1)
        return result

    def derain_batch(self, images: Sequence[Image]) -> list[Image]:
        """Derain several images; those of equal padded size share network calls.

        Args:
            images: as for `derain`, of any sizes and dtypes.

        Returns:
            The results, in the images' order. They can differ from `derain`'s by a level where
            a rounding or a tie in the network falls the other way.

        Raises:
            ShapeError, ModelError: as `derain`; all images are checked before the first runs.
        """
        session = self._opened()
        _check_images(images)
        if self.tiling is not None:
            return [self.derain(image) for image in images]
        results: dict[int, Image] = {}
        for indices in _batches(images, session.largest_batch or MAX_BATCH):
            outputs = session.run(np.concatenate([input_from_image(images[i]) for i in indices]))
            for i, output in zip(indices, outputs, strict=True):
                results[i] = image_from_output(output[None], like=images[i])
        return [results[i] for i in range(len(images))]

    def derain_stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """Derain images one after the other as they come; on a GPU several are under way at once.

        Args:
            images: as for `derain`; at most `concurrency` are taken ahead of what was yielded.

        Yields:
            The results, in the images' order.

        Raises:
            ShapeError, ModelError: as `derain`.
        """
        at_once = self._opened().concurrency if self.tiling is None else 1
        yield from in_order(self.derain, images, at_once)

    def close(self) -> None:
        """Free the model; closing twice does nothing."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def __enter__(self) -> Self:
        self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Session:
        if self._session is None:
            raise ModelError(f"the Derainer of {self.path} was closed; open a new one")
        return self._session


def _check_images(images: Sequence[Image]) -> None:
    for number, image in enumerate(images, 1):
        try:
            check_image(image)
        except ShapeError as error:
            raise ShapeError(f"image {number} of {len(images)}: {error}") from error


def _batches(images: Sequence[Image], limit: int) -> Iterator[list[int]]:
    """Yield the indices of images that go through the network together."""
    of_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        height, width, _ = image.shape
        of_size[padded_size(height, width)].append(index)
    for (height, width), indices in of_size.items():
        count = max(1, min(limit, MAX_BATCH_PIXELS // (height * width)))
        for first in range(0, len(indices), count):
            yield indices[first : first + count]
