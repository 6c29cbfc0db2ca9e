"""Which backend runs a model: chosen by what the file is and by the provider's name.

    an engine               the library it was built with          engine_backend
    an ONNX file            "openvino"                             openvino_backend
                            ONNX Runtime's providers, "cpu" first  onnxruntime_backend

A backend is imported when it is opened, so none of their libraries needs to be installed for the
others.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drsformer.engine.gpu import DEFAULT_DEVICE
from drsformer.engine.libraries import LIBRARIES
from drsformer.engine.manifest import is_engine
from drsformer.errors import ProviderError

from ..options import RunOptions
from .base import Backend
from .onnxruntime_providers import PROVIDERS

OPENVINO = "openvino"
DEFAULT = "cpu"
ON_CUDA = tuple(name for name, provider in PROVIDERS.items() if provider.runs_on_cuda)
# These run engines of `drs-export trt`. "tensorrt" does that too, and given an ONNX file it is
# ONNX Runtime's provider of that name.
ENGINE_ONLY = ("tensorrt_lean", "tensorrt_rtx")
NAMES = (*PROVIDERS, OPENVINO, *ENGINE_ONLY)


@dataclass(frozen=True)
class Opened:
    """An opened model file.

    Attributes:
        kind: what the file is.
        provider: the name of the provider in use.
        backend: runs it.
    """

    kind: Literal["onnx", "engine"]
    provider: str
    backend: Backend


def open_backend(path: Path, options: RunOptions) -> Opened:
    """Find out what a model file is, and open it with the backend that runs it.

    Raises:
        ModelError: the file is unreadable, broken, or not one of ours.
        ProviderError: the provider is unknown, not installed, cannot start, or does not run such
            files or take this precision.
    """
    return (_open_engine if is_engine(path) else _open_onnx)(path, options)


def _open_engine(path: Path, options: RunOptions) -> Opened:
    from .engine_backend import EngineBackend

    if options.provider is not None and options.provider not in LIBRARIES:
        raise ProviderError(
            f"{path} is an engine, and provider {options.provider!r} runs ONNX files; leave it out"
        )
    if options.precision != "fp32":
        raise ProviderError(f"{path} computes in the precision it was built with; leave that out")
    device = DEFAULT_DEVICE if options.device is None else options.device
    backend = EngineBackend(path, options.provider, device)
    return Opened("engine", options.provider or backend.manifest.flavor, backend)


def _open_onnx(path: Path, options: RunOptions) -> Opened:
    name = options.provider or DEFAULT
    if name not in NAMES:
        raise ProviderError(f"unknown provider {name!r}; expected one of {', '.join(NAMES)}")
    if name in ENGINE_ONLY:
        raise ProviderError(
            f"provider {name!r} runs engines, and {path} is none; build one with `drs-export trt`"
        )
    if options.device is not None and name not in ON_CUDA:
        raise ProviderError(
            f"device {options.device} is the CUDA ordinal of a GPU, and provider {name!r} does "
            f"not run on CUDA; leave it out, or use provider {' or '.join(ON_CUDA)}, or an engine"
        )
    if name == OPENVINO:
        from .openvino_backend import OpenVinoBackend

        return Opened("onnx", name, OpenVinoBackend(path, options))
    if options.precision != "fp32":
        raise ProviderError(
            f"provider {name!r} computes in the precision that the file says; "
            f"precision {options.precision} can be asked of provider {OPENVINO!r} only"
        )
    from .onnxruntime_backend import OnnxRuntimeBackend

    return Opened("onnx", name, OnnxRuntimeBackend(path, PROVIDERS[name], options))
