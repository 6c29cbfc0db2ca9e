"""Models executed by OpenVINO on the CPU; needs the extra [openvino].

OpenVINO plans layouts and memory when it compiles, and plans best for sizes it knows. So a model
is compiled anew for each input shape.
"""

import textwrap
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ModelError, ProviderError

from .base import Precision, TensorInfo
from .providers import EXPORT_IT
from .shape_cache import ByShape, Shape

DEVICE = "CPU"


class OpenVinoBackend:
    """A `Backend` over OpenVINO's CPU plugin; concurrent calls wait for each other."""

    concurrency = 1
    largest_batch: int | None = None

    def __init__(self, path: Path, threads: int | None, precision: Precision) -> None:
        """Read a file; it is compiled when the first batch comes.

        Raises:
            ProviderError: OpenVINO is not installed, or this CPU does not compute in bfloat16.
            ModelError: it is not an ONNX model.
        """
        self._path = path
        self._core = _core(precision)
        self._model = self._read()
        self._settings = _settings(threads, precision)
        self._requests = ByShape(self._request_of)
        self._lock = Lock()
        self.metadata = _metadata(self._model)
        self.inputs = tuple(_info(port) for port in self._model.inputs)
        self.outputs = tuple(_info(port) for port in self._model.outputs)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """See `Backend`."""
        with self._lock:
            request = self._requests.get(batch.shape)
            result: NDArray[Any] = request.infer({0: batch}, share_inputs=True)[0].copy()
        return result

    def close(self) -> None:
        """See `Backend`."""
        with self._lock:
            self._requests.clear()

    def _request_of(self, shape: Shape) -> Any:
        """Compile the model for one input shape."""
        model = self._model.clone()
        model.reshape(list(shape))
        return self._core.compile_model(model, DEVICE, self._settings).create_infer_request()

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except Exception as error:  # its exceptions have no common base but this
            text = textwrap.shorten(str(error), 240, placeholder=" ...").rstrip(".")
            raise ModelError(
                f"{self._path} is not a usable ONNX model: {text}; {EXPORT_IT}"
            ) from error


def _core(precision: Precision) -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ProviderError(
            "provider 'openvino' needs the package openvino; install drs-export[openvino]"
        ) from error
    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise ProviderError(
            f"{core.get_property(DEVICE, 'FULL_DEVICE_NAME')} does not compute in bfloat16; "
            "use precision f32"
        )
    return core


def _settings(threads: int | None, precision: Precision) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _metadata(model: Any) -> dict[str, str]:
    """Return the ONNX file's metadata, which OpenVINO keeps under "framework"."""
    if not model.has_rt_info("framework"):
        return {}
    return dict(model.get_rt_info("framework").value)


def _info(port: Any) -> TensorInfo:
    shape = tuple(
        dimension.get_length() if dimension.is_static else None
        for dimension in port.get_partial_shape()
    )
    return TensorInfo(port.get_any_name(), np.dtype(port.get_element_type().to_dtype()).name, shape)
