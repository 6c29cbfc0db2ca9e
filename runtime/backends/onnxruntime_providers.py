"""ONNX Runtime's execution providers; one that was asked for and cannot be used is an error.

ONNX Runtime itself falls back to the CPU when a provider cannot start, and says so only in its
log. A deployment would notice that by its electricity bill, so here it is a `ProviderError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from drsformer.errors import ProviderError


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's ways to execute a model.

    Attributes:
        name: the name that users type.
        onnxruntime_name: ONNX Runtime's name of it.
        package: the package that holds it.
        helpers: providers for the nodes that this one does not support, tried before the CPU.
        session_per_shape: whether a session for each input shape is faster (measured on the CPU
            only; opening one takes TensorRT minutes).
        runs_on_cuda: whether it takes the CUDA ordinal of a GPU.
    """

    name: str
    onnxruntime_name: str
    package: str
    helpers: tuple[str, ...] = ()
    session_per_shape: bool = False
    runs_on_cuda: bool = False


# Each package replaces `onnxruntime`; two of them in one environment overwrite each other's files.
PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("cpu", "CPUExecutionProvider", "onnxruntime", session_per_shape=True),
        Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu[cuda,cudnn]", runs_on_cuda=True),
        # without CUDA as a helper, one unsupported node would copy its tensors to the CPU and back
        Provider(
            "tensorrt",
            "TensorrtExecutionProvider",
            "onnxruntime-gpu[cuda,cudnn] and TensorRT",
            helpers=("CUDAExecutionProvider",),
            runs_on_cuda=True,
        ),
        Provider("directml", "DmlExecutionProvider", "onnxruntime-directml (Windows)"),
        Provider("coreml", "CoreMLExecutionProvider", "onnxruntime (macOS)"),
    )
}


def check_available(provider: Provider, available: Sequence[str]) -> None:
    """Raise ProviderError unless the installed ONNX Runtime was built with a provider.

    Args:
        provider: what was asked for.
        available: what ONNX Runtime reports.
    """
    if provider.onnxruntime_name not in available:
        present = [p.name for p in PROVIDERS.values() if p.onnxruntime_name in available]
        raise ProviderError(
            f"provider {provider.name!r} is not in the installed ONNX Runtime, which has "
            f"{', '.join(present)}; install {provider.package} in its place, or use one it has"
        )


def check_in_use(provider: Provider, in_use: Sequence[str]) -> None:
    """Raise ProviderError unless a session runs on the provider that was asked for.

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
