"""Execution providers by the names users type; asked for and not usable is an error.

ONNX Runtime itself falls back to the CPU when a provider cannot start, with a line in its log.
A deployment would find that out from its electricity bill, so here it is a `ProviderError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime as ort

from drsformer.errors import ProviderError

EXPORT_IT = "make one with `drs-export onnx`"


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's ways to execute a model.

    Attributes:
        name: what users type.
        onnxruntime_name: what ONNX Runtime calls it.
        package: what has to be installed to have it.
        helpers: providers for the nodes this one does not support, before the CPU.
        by_shape: a session for each input shape pays (measured on the CPU only; opening one
            takes TensorRT minutes).
    """

    name: str
    onnxruntime_name: str
    package: str
    helpers: tuple[str, ...] = ()
    by_shape: bool = False


# Each package replaces `onnxruntime`; two of them in one environment overwrite each other's files.
PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("cpu", "CPUExecutionProvider", "onnxruntime", by_shape=True),
        Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu[cuda,cudnn]"),
        # without CUDA as a helper, one unsupported node would copy its tensors to the CPU and back
        Provider(
            "tensorrt",
            "TensorrtExecutionProvider",
            "onnxruntime-gpu[cuda,cudnn] and TensorRT",
            helpers=("CUDAExecutionProvider",),
        ),
        Provider("directml", "DmlExecutionProvider", "onnxruntime-directml (Windows)"),
        Provider("coreml", "CoreMLExecutionProvider", "onnxruntime (macOS)"),
    )
}

OPENVINO = "openvino"  # not through ONNX Runtime; see openvino_backend.py
DEFAULT = "cpu"
# These run engines of `drs-export trt`. "tensorrt" does that too, and given an ONNX file it is
# ONNX Runtime's provider of that name.
ENGINE_ONLY = ("tensorrt_lean", "tensorrt_rtx")
NAMES = (*PROVIDERS, OPENVINO, *ENGINE_ONLY)


def provider_from_name(name: str) -> Provider:
    """Return a provider that the installed ONNX Runtime was built with.

    Raises:
        ProviderError: an unknown name, or one whose package is not installed.
    """
    if name not in PROVIDERS:
        raise ProviderError(f"unknown provider {name!r}; expected one of {', '.join(NAMES)}")
    provider = PROVIDERS[name]
    available = ort.get_available_providers()
    if provider.onnxruntime_name not in available:
        present = [p.name for p in PROVIDERS.values() if p.onnxruntime_name in available]
        raise ProviderError(
            f"provider {name!r} is not in the installed ONNX Runtime, which has "
            f"{', '.join(present)}; install {provider.package} in its place, or use one it has"
        )
    return provider


def check_in_use(provider: Provider, in_use: Sequence[str]) -> None:
    """Raise ProviderError unless a session runs on the provider it was asked to.

    Args:
        provider: what was asked for.
        in_use: what the session reports, highest priority first.
    """
    if not in_use or in_use[0] != provider.onnxruntime_name:
        raise ProviderError(
            f"provider {provider.name!r} is installed but could not start, and ONNX Runtime "
            f"fell back to {', '.join(in_use) or 'nothing'}; its log says why (mostly a driver or "
            f"library version), or use provider 'cpu'"
        )
