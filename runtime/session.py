"""An ONNX Runtime session that is known to hold one of our models.

Everything that can be wrong with a file is found when it is opened, as a `ModelError`:
that it cannot be read, is cut short, or is another network's.
"""

import re
import textwrap
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from drsformer.contract import CHANNELS, METADATA_KEY, Batch, Contract, contract_from_json
from drsformer.errors import ModelError, ProviderError, ShapeError
from drsformer.files import check_readable

from .providers import Provider, check_in_use, provider_from_name

EXPORT_IT = "make one with `drs-export onnx`"
MOST_THREADS = 1024  # a slip of the keyboard would take minutes to start them
FATAL_ONLY = 4  # ONNX Runtime's log level: each of its errors reaches us as an exception too


class Session:
    """A loaded model; `run` may be called from several threads.

    Attributes:
        contract: the interface that the file promises.
        batch: the only batch size it takes, or None for any.
        height: the only input height it takes, pixels, or None for any multiple of 8.
        width: the only input width it takes, likewise.
    """

    def __init__(self, path: Path, provider: str, threads: int | None) -> None:
        """Open a file and check that it is a model that this version can feed.

        Raises:
            ModelError: unreadable, broken, or not one of ours.
            ProviderError: the provider is unknown or cannot be used; `threads` is not sane.
        """
        self.path = path
        self._session = _open(path, provider_from_name(provider), _options(threads))
        self.contract = self._read_contract()
        self.batch, self.height, self.width = self._check_tensors()

    def run(self, batch: Batch) -> Batch:
        """Run the network.

        Args:
            batch: float32 (N, 3, H, W), RGB, [0, 1]; H and W multiples of 8.

        Returns:
            float32 (N, 3, H, W), RGB, not clamped.

        Raises:
            ShapeError: the model was exported for another size, or for fewer images.
            ModelError: ONNX Runtime failed, mostly for lack of memory.
        """
        self._check_size(*batch.shape[2:])
        feed = {self.contract.input_name: self._with_fixed_batch(batch)}
        try:
            outputs = self._session.run([self.contract.output_name], feed)
        except Exception as error:  # its exceptions have no common base but this
            raise ModelError(
                f"{self.path} failed on an input of shape {batch.shape}: {_one_line(error)}; "
                "if memory ran out, derain in pieces with --tile"
            ) from error
        result: Batch = outputs[0][: len(batch)]
        self._check_result(result, batch.shape)
        return result

    def _check_result(self, result: Batch, shape: tuple[int, ...]) -> None:
        if result.shape != shape:
            raise ModelError(
                f"{self.path} gave {result.shape} for an input of {shape}; it is not a model that "
                f"keeps its contract, {EXPORT_IT}"
            )
        if not np.isfinite(result).all():
            raise ModelError(
                f"{self.path} gave NaN or Inf for an input of shape {shape}; its weights or its "
                "precision are broken, validate it with `drs-export validate`"
            )

    def _with_fixed_batch(self, batch: Batch) -> Batch:
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
        square = self.height is not None and self.height == self.width
        tiling = f"use --tile {self.height} for images of at least that size, or " if square else ""
        raise ShapeError(
            f"an image or tile is {height}x{width} (height x width, padded to multiples of 8), but "
            f"{self.path} was exported for {accepted} only; {tiling}export it with free sizes"
        )

    def _read_contract(self) -> Contract:
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{self.path} is an ONNX model without our {METADATA_KEY!r} metadata, so how to "
                f"feed it is unknown; {EXPORT_IT}"
            )
        return contract_from_json(metadata[METADATA_KEY], source=str(self.path))

    def _check_tensors(self) -> tuple[int | None, int | None, int | None]:
        """Check that the graph keeps its contract; return its fixed batch, height and width."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = _describe(inputs), _describe(outputs)
        kind = f"tensor({self.contract.dtype.replace('float32', 'float')})"
        expected = f"{self.contract.input_name}: {kind}", f"{self.contract.output_name}: {kind}"
        if found != expected or any(not _is_nchw(tensor.shape) for tensor in (*inputs, *outputs)):
            shapes = [tensor.shape for tensor in (*inputs, *outputs)]
            raise ModelError(
                f"{self.path} has {found[0]} -> {found[1]} of shapes {shapes}; its contract says "
                f"{expected[0]} -> {expected[1]} of (N, {CHANNELS}, H, W); {EXPORT_IT}"
            )
        batch, _, height, width = (
            size if isinstance(size, int) else None for size in inputs[0].shape
        )
        return batch, height, width


def _describe(tensors: list[ort.NodeArg]) -> str:
    return ", ".join(f"{tensor.name}: {tensor.type}" for tensor in tensors)


def _is_nchw(shape: list[int | str | None]) -> bool:
    return len(shape) == 4 and (shape[1] == CHANNELS or not isinstance(shape[1], int))


def _options(threads: int | None) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    # By default an idle thread spins while it waits for the next operator. Our operators last
    # far longer than the wake-up that spinning saves, and spinning takes the cores from whoever
    # shares them, the video codec first: a run beside one other busy process was 1.4x slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        if not 1 <= threads <= MOST_THREADS:
            raise ProviderError(
                f"threads is {threads}; expected 1 to {MOST_THREADS}, or nothing for all"
            )
        options.intra_op_num_threads = threads
    return options


def _open(path: Path, provider: Provider, options: ort.SessionOptions) -> ort.InferenceSession:
    # ONNX Runtime words the plain reasons as protobuf errors
    check_readable(path, ModelError, EXPORT_IT)
    names = [provider.onnxruntime_name]
    names += [name for name in provider.helpers if name in ort.get_available_providers()]
    try:
        # enable_fallback: else a failing provider is replaced by another. Release 1.20 ignores
        # the argument and replaces it anyway; check_in_use finds that.
        session = ort.InferenceSession(path, options, providers=names, enable_fallback=0)
    except (RuntimeError, EPFail) as error:  # what providers raise; a bad file raises others
        raise ProviderError(
            f"provider {provider.name!r} cannot run {path}: {_one_line(error)}; try provider 'cpu'"
        ) from error
    except Exception as error:  # its exceptions have no common base but this
        raise ModelError(
            f"{path} is not a usable ONNX model: {_one_line(error)}; {EXPORT_IT}"
        ) from error
    check_in_use(provider, session.get_providers())
    session.disable_fallback()  # nor in the middle of a run
    return session


def _one_line(error: Exception) -> str:
    """Return the core of an ONNX Runtime message: no prefix, no path, no line breaks."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    text = re.sub(r"^Load model from .* failed: ?", "", text)
    return textwrap.shorten(text, 240, placeholder=" ...").rstrip(".")
