"""An exported model that turns rainy images into clean ones: the runtime in one class.

    with Derainer("derain.onnx") as derainer:
        clean = derainer.derain(rainy)          # uint8 (H, W, 3) RGB, the same size back

Several threads may use one Derainer at once; they then share the threads of the backend. A pickled
one is opened again where it arrives. A forked process opens it again too, with ONNX Runtime on the
CPU; what else runs models does not survive a fork, and one sentence says so.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, cast

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

from . import processes
from .bounded_map import bounded_map
from .model import Model
from .options import Precision, RunOptions
from .tiles import OnTile, derain_tiles
from .tiling import Blend, Tiling
from .whole_or_tiles import WholeOrTiles

log = logging.getLogger(__name__)
SURVIVES_FORK = "cpu"  # the provider whose models can be opened again in a forked process
# A batch pays off while images are small; above these bounds it only costs memory.
MAX_BATCH = 8
MAX_BATCH_PIXELS = 2**19


class Derainer:
    """An opened model; a context manager.

    Attributes:
        path: the model file.
        contract: the interface read from it.
        provider: the name of the execution provider in use.
        tiling: how images are cut; None where only those are that the model does not take whole,
            or that would not fit into the memory.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        provider: str | None = None,
        threads: int | None = None,
        precision: Precision = "fp32",
        device: int | None = None,
        tile: int | Literal["whole"] | None = None,
        overlap: int = 32,
        blend: Blend = "uniform",
    ) -> None:
        """Open a model.

        Args:
            path: an ONNX file written by `drs-export onnx` or `convert`, or an engine by `trt`.
            provider: what runs the model; see `RunOptions`.
            threads: number of the backend's threads; see `RunOptions`.
            precision: "fp32" or "bf16"; see `RunOptions`.
            device: CUDA ordinal of the GPU that runs an engine, or ONNX Runtime's "cuda" or
                "tensorrt"; None for the first. It becomes the current CUDA device of each thread
                that calls `derain`.
            tile: longest side of a tile, pixels, a multiple of 8; None for whole images, or, with a
                model that does not take them, for tiles of the largest size that it takes. On a
                CPU, images that would take more than the free memory are cut as well, which a
                warning says; "whole" insists on whole ones.
            overlap: pixels that neighbouring tiles share; without `tile` it has no effect.
            blend: "uniform" is the authors' rule, "feather" leaves no seams.

        Raises:
            ModelError: the file is unreadable, broken, or not one of ours.
            ProviderError: the provider is unknown, not installed or cannot start, or does not
                take this precision or a device; or there is no such device.
            ShapeError: tile, overlap or blend cannot be used.
        """
        self.path = Path(path)
        self.tiling = None if tile in (None, "whole") else Tiling(cast(int, tile), overlap, blend)
        self._overlap, self._blend, self._said = overlap, blend, False
        self._options = RunOptions(provider, threads, precision, device)
        # nothing to decide where tiles, or whole images, were asked for
        decides = tile is None
        self._by_memory = (
            WholeOrTiles(self.path, self._options, overlap, blend) if decides else None
        )
        self._inherited = False  # from the process that this one was forked from
        self._model: Model | None = Model(self.path, self._options)
        self.contract = self._model.contract
        self.provider = self._model.provider
        processes.forget_after_fork(self)

    def derain(self, image: SomeImage, on_tile: OnTile | None = None) -> SomeImage:
        """Derain one image.

        Args:
            image: uint8 or uint16 (H, W, 3), RGB, of any size from 1x1.
            on_tile: called with (done, in all) after each tile; a whole image is one tile.

        Returns:
            A new image of the same shape and dtype.

        Raises:
            ShapeError: the image has another dtype or shape, or does not fit the model or tiling.
            ModelError: the network failed, or the Derainer was closed.
        """
        model = self._opened()
        check_image(image)
        fitted = model.limits.enlarged(image)
        tiling = self._tiling_of(fitted, model)
        self._say_once(image, fitted, tiling)
        if tiling is not None:
            network = model.run_pixels if model.takes_pixels else model.run
            result = derain_tiles(
                fitted,
                network,
                tiling,
                on_tile,
                at_once=model.concurrency,
                pixels=model.takes_pixels,
            )
        else:
            (result,) = _derain_together([fitted], model)
            if on_tile:
                on_tile(1, 1)
        return result if fitted is image else cast(SomeImage, cropped(result, like=image))

    def derain_batch(self, images: Sequence[Image]) -> list[Image]:
        """Derain several images; those of equal padded size share network calls.

        Args:
            images: as for `derain`, of any sizes and dtypes.

        Returns:
            The results, in the images' order. They can differ from the results of `derain` by a
            level, where a rounding or a tie in the network falls the other way.

        Raises:
            ShapeError, ModelError: as for `derain`; all images are checked before the first runs.
        """
        model = self._opened()
        _check_images(images)
        if self.tiling is not None or not all(self._fits(image, model) for image in images):
            return [self.derain(image) for image in images]
        results: dict[int, Image] = {}
        for indices in _batches(images, model.largest_batch or MAX_BATCH):
            together = _derain_together([images[i] for i in indices], model)
            results.update(zip(indices, together, strict=True))
        return [results[i] for i in range(len(images))]

    def derain_stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """Derain images one after the other as they come; on a GPU, several at once.

        Args:
            images: as for `derain`; at most `concurrency` are taken ahead of the results yielded.

        Yields:
            The results, in the images' order.

        Raises:
            ShapeError, ModelError: as for `derain`.
        """
        at_once = self._opened().concurrency if self.tiling is None else 1
        yield from bounded_map(self.derain, images, at_once)

    def close(self) -> None:
        """Free the model; closing twice does nothing."""
        if self._model is not None:
            self._model.close()
        self._model, self._inherited = None, False

    def forget(self) -> Model | None:
        """Give up the model of the process that this one was forked from; see `processes`."""
        model, self._model = self._model, None
        self._inherited = self._inherited or model is not None
        return model

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled: everything but the opened model."""
        self._opened()
        return vars(self) | {"_model": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Open the model again; raises as opening does."""
        vars(self).update(state)
        self._model = Model(self.path, self._options)
        processes.forget_after_fork(self)

    def __enter__(self) -> "Derainer":
        self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tiling_of(self, image: Image, model: Model) -> Tiling | None:
        """Return how an image, as large as the model wants it at least, is cut; None for whole."""
        if self.tiling is not None or not model.limits.any_size:
            return self.tiling or model.limits.tiling_for(image, self._overlap, self._blend)
        return self._by_memory.tiling_for(image, model) if self._by_memory else None

    def _fits(self, image: Image, model: Model) -> bool:
        """Whether the model takes an image as it is."""
        return model.limits.enlarged(image) is image and self._tiling_of(image, model) is None

    def _say_once(self, image: Image, fitted: Image, tiling: Tiling | None) -> None:
        """Tell the user once that images of this size are not what the model is made for."""
        own = tiling is None or self.tiling is not None or self._opened().limits.any_size
        if (fitted is image and own) or self._said:
            return
        self._said = True
        log.warning(
            "%s takes %s: smaller images are padded by reflection and cropped, larger ones cut "
            "into tiles, which changes the result",
            self.path,
            self._opened().limits.text(),
        )

    def _opened(self) -> Model:
        if self._inherited:
            self._open_after_fork()
        if self._model is None:
            raise ModelError(f"the Derainer of {self.path} was closed; open a new one")
        return self._model

    def _open_after_fork(self) -> None:
        if self.provider != SURVIVES_FORK:
            raise ModelError(
                f"{self.path} was opened with {self.provider!r} before this process was forked, "
                "which that does not survive; open it in the new process, or start processes with "
                "multiprocessing's 'spawn'"
            )
        with processes.opening:  # two threads may come here at once
            if self._inherited:
                self._model, self._inherited = Model(self.path, self._options), False


def _derain_together(images: Sequence[SomeImage], model: Model) -> list[SomeImage]:
    """Derain images of one padded size in one call of the network."""
    if model.takes_pixels:
        pixels = model.run_pixels(np.concatenate([pixels_from_image(image) for image in images]))
        return [
            cast(SomeImage, cropped(padded, like))
            for padded, like in zip(pixels, images, strict=True)
        ]
    outputs = model.run(np.concatenate([input_from_image(image) for image in images]))
    return [
        image_from_output(output[None], like) for output, like in zip(outputs, images, strict=True)
    ]


def _check_images(images: Sequence[Image]) -> None:
    for number, image in enumerate(images, 1):
        try:
            check_image(image)
        except ShapeError as error:
            raise ShapeError(f"image {number} of {len(images)}: {error}") from error


def _batches(images: Sequence[Image], limit: int) -> Iterator[list[int]]:
    """Yield the indices of images that share a network call."""
    of_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        height, width, _ = image.shape
        of_size[padded_size(height, width)].append(index)
    for (height, width), indices in of_size.items():
        count = max(1, min(limit, MAX_BATCH_PIXELS // (height * width)))
        for first in range(0, len(indices), count):
            yield indices[first : first + count]
