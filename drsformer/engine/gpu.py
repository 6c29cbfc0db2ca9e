"""Which GPU this machine has, as the CUDA runtime says through NVIDIA's own bindings."""

import platform
from dataclasses import dataclass
from typing import Any

from drsformer.errors import ProviderError
from drsformer.extras import installing

DEFAULT_DEVICE = 0  # CUDA ordinal: the first GPU that CUDA_VISIBLE_DEVICES leaves visible
INSTALL = f"{installing('rtx')} (or trt, for TensorRT)"


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine.

    Attributes:
        name: "NVIDIA GeForce RTX 4090".
        compute_capability: "8.9".
        cuda: newest version of CUDA that its driver supports, "13.0".
        device: its CUDA ordinal.
    """

    name: str
    compute_capability: str
    cuda: str
    device: int


def cudart() -> Any:
    """Import the bindings of the CUDA runtime.

    Raises:
        ProviderError: they are not installed.
    """
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise ProviderError(
            f"running engines needs the package cuda-bindings, which is not installed; {INSTALL}"
        ) from error
    return runtime


def gpu_here(device: int = DEFAULT_DEVICE) -> Gpu:
    """Describe a GPU of this machine.

    Args:
        device: its CUDA ordinal.

    Raises:
        ProviderError: there is no GPU, none of this ordinal, or no driver for it, or the bindings
            are missing.
    """
    runtime = cudart()
    error, count = runtime.cudaGetDeviceCount()
    if error != runtime.cudaError_t.cudaSuccess or not count:
        raise ProviderError(
            f"no NVIDIA GPU can be used here ({error.name}): engines run on GPUs only; install the "
            "driver, or run the ONNX file on the CPU"
        )
    if not 0 <= device < count:
        raise ProviderError(
            f"there is no GPU {device}: CUDA sees {count} here; choose a device from 0 to "
            f"{count - 1}"
        )
    error, properties = runtime.cudaGetDeviceProperties(device)
    failed, cuda = runtime.cudaDriverGetVersion()
    for status in (error, failed):
        if status != runtime.cudaError_t.cudaSuccess:
            raise ProviderError(
                f"GPU {device} cannot be used ({status.name}); look whether nvidia-smi lists it"
            )
    name = properties.name
    return Gpu(
        name.decode() if isinstance(name, bytes) else str(name),
        f"{properties.major}.{properties.minor}",
        f"{cuda // 1000}.{cuda % 1000 // 10}",
        device,
    )


def platform_here() -> str:
    """Return the operating system and processor, "linux-x86_64"."""
    return f"{platform.system()}-{platform.machine()}".lower()
