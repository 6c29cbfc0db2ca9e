"""How a model is run: the choices that go from the user to the backend as one value."""

from dataclasses import dataclass
from typing import Literal, get_args

from drsformer.errors import ProviderError

Precision = Literal["fp32", "bf16"]
MOST_THREADS = 1024  # a mistyped number would take minutes to start its threads


@dataclass(frozen=True)
class RunOptions:
    """How a model is run.

    Attributes:
        provider: one of `drsformer.runtime.backends.providers.NAMES`; None for the CPU, or for
            the library that an engine was built with.
        threads: number of the backend's threads, 1 to 1024; None for one per core.
        precision: "fp32" computes as the file says; "bf16" asks the provider "openvino" to compute
            in bfloat16 where that is faster (docs/performance.md has its PSNR).
        device: CUDA ordinal of the GPU, from 0; None for the first. Only for what runs on CUDA:
            engines, and ONNX Runtime's providers "cuda" and "tensorrt".
    """

    provider: str | None = None
    threads: int | None = None
    precision: Precision = "fp32"
    device: int | None = None

    def __post_init__(self) -> None:
        """Raise ProviderError for threads, a precision or a device that no provider takes."""
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise ProviderError(
                f"threads is {self.threads}; expected 1 to {MOST_THREADS}, or nothing for all"
            )
        if self.precision not in get_args(Precision):
            raise ProviderError(
                f"precision is {self.precision!r}; expected {' or '.join(get_args(Precision))}"
            )
        if self.device is not None and self.device < 0:
            raise ProviderError(f"device is {self.device}; expected a CUDA ordinal, 0 or more")
