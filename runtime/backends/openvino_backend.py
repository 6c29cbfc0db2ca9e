"""Runs ONNX files with OpenVINO on the CPU; needs the extra [openvino].

OpenVINO plans layouts and memory when it compiles, and plans best for sizes that it knows. So the
model is compiled for each input shape.
"""

import sys
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.errors import ModelError, ProviderError
from drsformer.extras import installing
from drsformer.files import lost_weights

from ..options import Precision, RunOptions
from .base import EXPORT_IT, Sizes, TensorInfo, reason_of
from .memory import trim
from .shape_cache import InputShape, ShapeCache

DEVICE = "CPU"
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}  # OpenVINO's names of precisions


class OpenVinoBackend:
    """A `Backend` over OpenVINO's CPU plugin; concurrent calls wait for each other."""

    samples: Sizes = ((256, 256),)  # one, because it is compiled for each
    concurrency = 1
    largest_batch: int | None = None

    def __init__(self, path: Path, options: RunOptions) -> None:
        """Read a file; it is compiled when the first batch comes.

        Raises:
            ProviderError: OpenVINO is not installed, or this CPU does not compute in bfloat16.
            ModelError: the file is not an ONNX model.
        """
        self._path = path
        self._core = _core(options.precision)
        self._model = self._read()
        self._settings = _settings(options)
        self._requests = ShapeCache(self._request_of)
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

    def is_large(self, pixels: int) -> bool:
        """See `Backend`; all sizes are run in one way."""
        return False

    def prepare(self, shape: InputShape, *, as_large: bool) -> None:
        """See `Backend`."""
        with self._lock:
            self._requests.get(shape)

    def release(self) -> None:
        """See `Backend`."""
        with self._lock:
            self._requests.clear()
        trim()

    def close(self) -> None:
        """See `Backend`."""
        with self._lock:
            self._requests.clear()

    def _request_of(self, shape: InputShape) -> Any:
        """Compile the model for one input shape."""
        model = self._model.clone()
        model.reshape(list(shape))
        return self._core.compile_model(model, DEVICE, self._settings).create_infer_request()

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except Exception as error:  # OpenVINO's exceptions have no closer common base
            raise ModelError(
                lost_weights(str(error), self._path)
                or f"{self._path} is not a usable ONNX model: {reason_of(error)}; {EXPORT_IT}"
            ) from error


def _core(precision: Precision) -> Any:
    core = _openvino().Core()
    if precision == "bf16" and "BF16" not in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise ProviderError(
            f"{core.get_property(DEVICE, 'FULL_DEVICE_NAME')} does not compute in bfloat16; "
            "use precision fp32"
        )
    return core


def _openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report the import to its maker.

    Where that package cannot be imported OpenVINO takes a stub of its own. A program that imported
    OpenVINO itself before decides for itself.
    """
    telemetry = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # cannot be imported now
    try:
        import openvino
    except ImportError as error:
        raise ProviderError(
            "provider 'openvino' needs the package openvino; " + installing("openvino")
        ) from error
    finally:
        del sys.modules["openvino_telemetry"]
        if telemetry is not None:
            sys.modules["openvino_telemetry"] = telemetry
    return openvino


def _settings(options: RunOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[options.precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads
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
