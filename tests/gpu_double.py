"""A GPU without a GPU: CUDA's calls, and a library whose engines give their input back.

Every call is counted, and the one with the number `fail_at` fails in its own way. What is made is
counted until it is freed.
"""

from __future__ import annotations

import ctypes
import gc
import math
import weakref
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from types import SimpleNamespace
from typing import Any

DEVICES = 2


class Status(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorUnknown = 999


class Gpu:
    """Counts calls and what is alive; one call, by its number from 1, fails."""

    def __init__(self, fail_at: int = 0, status: Status = Status.cudaErrorUnknown) -> None:
        self.calls: list[str] = []
        self.devices: set[int] = set()  # that were made the current one of a thread
        self.alive: Counter[str] = Counter()
        self.fail_at, self.status = fail_at, status
        self.memory: dict[int, Any] = {}
        self.recording: list[Callable[[], object]] | None = None
        self.recorded: dict[int, list[Callable[[], object]]] = {}
        self.says = ""  # the library's warning when it loads an engine

    def fails(self, name: str) -> bool:
        """Count a call; whether it is the one that fails."""
        self.calls.append(name)
        return len(self.calls) == self.fail_at

    def leaks(self) -> dict[str, int]:
        """Return the number of things alive, by kind."""
        gc.collect()
        return {kind: count for kind, count in self.alive.items() if count}

    def watch(self, kind: str, thing: Any) -> None:
        """Count an object of the library as alive until Python frees it."""
        self.alive[kind] += 1
        weakref.finalize(thing, self.alive.subtract, [kind])

    def copy(self, to: int, source: int, nbytes: int, *_: Any) -> None:
        """Copy on a stream: now, or when the graph that is being recorded is launched."""
        work = partial(ctypes.memmove, to, source, nbytes)
        work() if self.recording is None else self.recording.append(work)

    def allocate(self, nbytes: int) -> int:
        block = (ctypes.c_uint8 * max(nbytes, 1))()
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)


def cuda_table(gpu: Gpu) -> Any:
    """Return what `cuda.bindings.runtime` offers, as far as this project calls it."""
    table = SimpleNamespace(
        cudaError_t=Status, cudaStreamNonBlocking=1,
        cudaMemcpyKind=SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2),
        cudaStreamCaptureMode=SimpleNamespace(cudaStreamCaptureModeThreadLocal=1),
    )  # fmt: skip

    def call(
        name: str, work: Callable[..., Any] | None = None, kind: str = "", by: int = 0
    ) -> None:
        def called(*arguments: Any) -> Any:
            failed = gpu.fails(name)
            if by < 0 or not failed:  # also where freeing fails: nobody can try again
                gpu.alive[kind] += by
            if failed:
                if name == "cudaStreamEndCapture":
                    gpu.recording = None  # it has ended all the same
                return gpu.status, None
            return Status.cudaSuccess, *([] if work is None else [work(*arguments)])

        setattr(table, name, called)

    def pair(kind: str, makes: str, value: Callable[..., int], frees: str) -> None:
        call(makes, value, kind, 1)
        call(frees, None, kind, -1)

    def end_capture(_: int) -> int:
        gpu.recorded[len(gpu.calls)], gpu.recording = gpu.recording or [], None
        return len(gpu.calls)

    call("cudaGetDeviceCount", lambda: DEVICES)
    call("cudaGetDeviceProperties", lambda _: SimpleNamespace(name=b"Double", major=8, minor=9))
    call("cudaDriverGetVersion", lambda: 13000)
    call("cudaSetDevice", gpu.devices.add)
    call("cudaStreamSynchronize")
    call("cudaMemcpyAsync", gpu.copy)
    call("cudaStreamBeginCapture", lambda *_: setattr(gpu, "recording", []))
    call("cudaGraphLaunch", lambda graph, _: [work() for work in gpu.recorded[graph]])
    pair("stream", "cudaStreamCreateWithFlags", lambda _: 7, "cudaStreamDestroy")
    pair("graph", "cudaStreamEndCapture", end_capture, "cudaGraphDestroy")
    pair("graph run", "cudaGraphInstantiate", lambda graph, _: graph, "cudaGraphExecDestroy")
    pair("device memory", "cudaMalloc", gpu.allocate, "cudaFree")
    pair("pinned memory", "cudaMallocHost", gpu.allocate, "cudaFreeHost")
    return table


class Made:
    """What the library makes, of any class: no two classes differ in a method of one name."""

    num_io_tensors = 2

    def __init__(self, gpu: Gpu, kind: str, logger: Any = None) -> None:
        gpu.watch(kind, self)
        self.gpu, self.logger, self.told = gpu, logger, dict[str, Any]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        good, bad = MAY_FAIL[name] if name in MAY_FAIL else (NEVER_FAILS[name], None)

        def method(*arguments: Any) -> Any:
            if name in NEVER_FAILS or not self.gpu.fails(name):
                return good(self, *arguments)
            if bad is RuntimeError:
                raise RuntimeError("the binding raises")
            return bad

        return method

    def tell(self, name: str, value: Any) -> bool:
        self.told[name] = value
        return True

    def load(self, content: bytes) -> Made:
        if self.gpu.says:
            self.logger.log(2, self.gpu.says)
        return Made(self.gpu, "engine")

    def execute(self, stream: int) -> bool:
        self.gpu.copy(self.told["output"], self.told["input"], math.prod(self.told["shape"]) * 4)
        return True


NEVER_FAILS: dict[str, Callable[..., Any]] = {
    "get_tensor_name": lambda made, i: ("input", "output")[i],
    "get_tensor_dtype": lambda made, name: "DataType.FLOAT",
    "get_tensor_shape": lambda made, name: made.told["shape"],
    "set_device_memory": lambda made, address, size: made.gpu.memory[address],
    "create_runtime_config": lambda made: Made(made.gpu, "runtime config"),
    "create_runtime_cache": lambda made: Made(made.gpu, "runtime cache"),
    "set_execution_context_allocation_strategy": lambda made, strategy: None,
    "set_runtime_cache": lambda made, cache: None,
}
MAY_FAIL: dict[str, tuple[Callable[..., Any], Any]] = {  # and what they give when they fail
    "deserialize_cuda_engine": (Made.load, None),
    "create_execution_context": (lambda made, how: Made(made.gpu, "context"), None),
    "set_optimization_profile_async": (lambda *_: True, RuntimeError),
    "set_input_shape": (lambda made, name, shape: made.tell("shape", shape), False),
    "set_tensor_address": (Made.tell, False),
    "update_device_memory_size_for_shapes": (lambda made: 256, 0),
    "execute_async_v3": (Made.execute, False),
    "serialize": (lambda made: b"kernels", None),
    "deserialize": (lambda made, content: True, False),
}


def library(gpu: Gpu, version: str, *, rtx: bool) -> Any:
    """Return a module like tensorrt or tensorrt_rtx, whose engines give their input back."""
    return SimpleNamespace(
        __name__="tensorrt_rtx" if rtx else "tensorrt",
        __version__=version,
        Runtime=partial(Made, gpu, "runtime"),
        ILogger=type("ILogger", (), {"ERROR": 1, "WARNING": 2, "__init__": lambda self: None}),
        CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE=1),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=2),
    )
