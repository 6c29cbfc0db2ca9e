"""Runs ONNX files with ONNX Runtime.

On the CPU each input shape has its own session: with sizes that it knows, ONNX Runtime can prove
shapes equal and fuses a convolution with the sum and the activation behind it. That takes memory,
so the session of a large shape is not told its sizes.
"""

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, NotImplemented

from drsformer.contract import CHANNELS
from drsformer.errors import ModelError, ProviderError
from drsformer.files import lost_weights

from ..options import RunOptions
from .base import EXPORT_IT, Sizes, TensorInfo, reason_of
from .memory import trim
from .onnxruntime_providers import Provider, check_available, check_in_use
from .shape_cache import InputShape, ShapeCache

# A session is told its sizes up to this many pixels in a batch: that is 11 % faster, but the full
# network then takes 15.1 instead of 12.5 GB for a frame of 1920x1080 (--runtime any).
MOST_FIXED_PIXELS = 1024 * 1024
CPU = "cpu"  # the name of the provider whose memory is the computer's
# ONNX Runtime cuts its blocks in halves, so sides that are powers of two can take a sixth less than
# all others. Smaller samples are less exact, larger ones take longer.
SAMPLES = ((192, 256), (256, 256))
FATAL_ONLY = 4  # ONNX Runtime's log level: its errors are exceptions too


class OnnxRuntimeBackend:
    """A `Backend` over ONNX Runtime."""

    concurrency = 1
    largest_batch: int | None = None

    def __init__(self, path: Path, provider: Provider, options: RunOptions) -> None:
        """Open a file.

        Args:
            path: an ONNX file.
            provider: ONNX Runtime's execution provider to use.
            options: gives the number of threads and, for a provider on CUDA, the GPU.

        Raises:
            ModelError: the file is not an ONNX model.
            ProviderError: the provider is not installed or cannot run the file.
        """
        check_available(provider, ort.get_available_providers())
        self._path, self._provider, self._options = path, provider, options
        self._state = _state(path)
        # a graph is optimised when its shape is known: here, or in `_session_of`
        optimised = not provider.session_per_shape
        general = _open(
            path, provider, _options(options.threads, optimised=optimised), options.device
        )
        self.metadata: dict[str, str] = general.get_modelmeta().custom_metadata_map
        self.inputs = tuple(map(_info, general.get_inputs()))
        self.outputs = tuple(map(_info, general.get_outputs()))
        self._axes = general.get_inputs()[0].shape
        self._general = None if provider.session_per_shape else general
        self._sessions = ShapeCache(self._session_of)
        self._most_fixed_pixels = MOST_FIXED_PIXELS
        self.samples: Sizes = SAMPLES if provider.name == CPU else ()

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """See `Backend`.

        Raises:
            ModelError: the file has changed since it was opened.
        """
        session = self._general or self._sessions.get(batch.shape)
        output = session.run([self.outputs[0].name], {self.inputs[0].name: batch})[0]
        # a copy: a result that is kept would leave a hole in the session's memory, which then grows
        return np.array(output)

    def is_large(self, pixels: int) -> bool:
        """See `Backend`."""
        return self._general is None and pixels > self._most_fixed_pixels

    def prepare(self, shape: InputShape, *, as_large: bool) -> None:
        """See `Backend`."""
        self._most_fixed_pixels = 0 if as_large else MOST_FIXED_PIXELS
        if self._general is None:
            self._sessions.get(shape)

    def release(self) -> None:
        """See `Backend`."""
        self._sessions.clear()
        trim()

    def close(self) -> None:
        """See `Backend`."""
        self._general = None
        self._sessions.clear()

    def _session_of(self, shape: InputShape) -> ort.InferenceSession:
        """Open the file again, for one input shape."""
        if _state(self._path) != self._state:
            raise ModelError(f"{self._path} has changed since it was opened; open it again")
        options = _options(self._options.threads)
        fixed = not self.is_large(prod(shape) // CHANNELS)
        for axis, size in zip(self._axes, shape, strict=True):
            if fixed and isinstance(axis, str):
                options.add_free_dimension_override_by_name(axis, size)
        session = _open(self._path, self._provider, options, self._options.device)
        trim()
        return session


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what differs between two versions of a file; None where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _info(tensor: ort.NodeArg) -> TensorInfo:
    dtype = tensor.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in tensor.shape)
    return TensorInfo(tensor.name, "float32" if dtype == "float" else dtype, shape)


def _options(threads: int | None, *, optimised: bool = True) -> ort.SessionOptions:
    options = ort.SessionOptions()
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = FATAL_ONLY
    # By default an idle thread spins while it waits for the next operator. Our operators last far
    # longer than the wake-up that spinning saves, and spinning takes the cores from other work,
    # the video codec first: a run beside one other busy process was 1.4x slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # With memory patterns the second run of a size allocates its whole plan at once, beside what
    # the first run holds: 3.4 instead of 1.9 GB for the full network at 512x512, and no faster.
    options.enable_mem_pattern = False
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def _open(
    path: Path, provider: Provider, options: ort.SessionOptions, device: int | None
) -> ort.InferenceSession:
    names = [provider.onnxruntime_name]
    names += [name for name in provider.helpers if name in ort.get_available_providers()]
    on_device = {} if device is None else {"device_id": str(device)}
    try:
        # Without enable_fallback=0 ONNX Runtime replaces a failing provider by another. Release
        # 1.20 ignores the argument and replaces it anyway; check_in_use finds that.
        session = ort.InferenceSession(
            path,
            options,
            providers=names,
            provider_options=[on_device for _ in names],
            enable_fallback=0,
        )
    except NotImplemented as error:
        raise ProviderError(
            f"provider {provider.name!r} cannot run {path}: {reason_of(error)}; a bfloat16 "
            "file needs provider 'openvino', or convert with --fp16"
        ) from error
    except (RuntimeError, EPFail) as error:  # providers raise these, a bad file raises others
        raise ProviderError(
            f"provider {provider.name!r} cannot run {path}: {reason_of(error)}; try provider 'cpu'"
        ) from error
    except Exception as error:  # ONNX Runtime's exceptions have no closer common base
        raise ModelError(
            lost_weights(str(error), path)
            or f"{path} is not a usable ONNX model: {reason_of(error)}; {EXPORT_IT}"
        ) from error
    check_in_use(provider, session.get_providers())
    session.disable_fallback()  # in the middle of a run
    return session
