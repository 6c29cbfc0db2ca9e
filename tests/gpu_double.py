"""A double of CUDA and TensorRT: memory is the host's, the output is the input, the Nth call fails.

It stands for the table of CUDA calls and for the library's runtime, engine and contexts, so that
every way in which they can fail is walked without a GPU. What is made and not freed is counted.
"""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any


class Status(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorUnknown = 999


class Gpu:
    """Counts calls and what is alive; one call, by its number from 1, fails."""

    def __init__(self, fail_at: int = 0, status: Status = Status.cudaErrorUnknown) -> None:
        self.calls: list[str] = []
        self.alive: Counter[str] = Counter()
        self.fail_at, self.status = fail_at, status
        self.memory: dict[int, Any] = {}
        self.recording: list[Callable[[], object]] | None = None
        self.recorded: dict[int, list[Callable[[], object]]] = {}

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

    def queue(self, work: Callable[[], object]) -> None:
        """Work on a stream: now, or when the graph that is being recorded is launched."""
        work() if self.recording is None else self.recording.append(work)


def cuda_table(gpu: Gpu) -> Any:
    """Return what `cuda.bindings.runtime` offers, as far as this project calls it."""

    def plain(work: Callable[..., object] = lambda *_: None, *values: Any) -> Callable[..., Any]:
        def call(name: str, *arguments: Any) -> Any:
            if gpu.fails(name):
                return gpu.status, *(None for _ in values)
            work(*arguments)
            return Status.cudaSuccess, *values

        return call

    def makes(kind: str, value: Callable[..., int]) -> Callable[..., Any]:
        def call(name: str, *arguments: Any) -> Any:
            if gpu.fails(name):
                return gpu.status, None
            gpu.alive[kind] += 1
            return Status.cudaSuccess, value(*arguments)

        return call

    def frees(kind: str) -> Callable[..., Any]:
        def call(name: str, *arguments: Any) -> Any:
            gpu.alive[kind] -= 1  # also where it fails: nobody can try again
            return (gpu.status if gpu.fails(name) else Status.cudaSuccess,)

        return call

    def allocate(nbytes: int) -> int:
        block = (ctypes.c_uint8 * max(nbytes, 1))()
        gpu.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def end_capture(name: str, _: int) -> Any:
        work, gpu.recording = gpu.recording or [], None  # ended, also where this fails
        gpu.recorded[len(gpu.calls)] = work
        return makes("graph", lambda number: number)(name, len(gpu.calls))

    def copy(to: int, source: int, nbytes: int, *_: Any) -> None:
        gpu.queue(lambda: ctypes.memmove(to, source, nbytes))

    calls = {
        "cudaGetDeviceCount": plain(lambda: None, 1),
        "cudaGetDeviceProperties": plain(
            lambda _: None, SimpleNamespace(name=b"Double", major=8, minor=9)
        ),
        "cudaDriverGetVersion": plain(lambda: None, 13000),
        "cudaSetDevice": plain(),
        "cudaStreamCreateWithFlags": makes("stream", lambda _: 7),
        "cudaStreamDestroy": frees("stream"),
        "cudaStreamSynchronize": plain(),
        "cudaMemcpyAsync": plain(copy),
        "cudaStreamBeginCapture": plain(lambda *_: setattr(gpu, "recording", [])),
        "cudaStreamEndCapture": end_capture,
        "cudaGraphInstantiate": makes("executable graph", lambda graph, _: graph),
        "cudaGraphDestroy": frees("graph"),
        "cudaGraphExecDestroy": frees("executable graph"),
        "cudaGraphLaunch": plain(lambda graph, _: [work() for work in gpu.recorded[graph]]),
        "cudaMalloc": makes("device memory", allocate),
        "cudaFree": frees("device memory"),
        "cudaMallocHost": makes("pinned memory", allocate),
        "cudaFreeHost": frees("pinned memory"),
    }
    constants = SimpleNamespace(
        cudaError_t=Status, cudaStreamNonBlocking=1,
        cudaMemcpyKind=SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2),
        cudaStreamCaptureMode=SimpleNamespace(cudaStreamCaptureModeThreadLocal=1),
    )  # fmt: skip
    for name, call in calls.items():
        setattr(constants, name, lambda *a, _name=name, _call=call: _call(_name, *a))
    return constants


def library(gpu: Gpu, version: str, *, rtx: bool) -> Any:
    """Return a module like tensorrt or tensorrt_rtx, whose engines give their input back."""

    class Context:
        def __init__(self) -> None:
            gpu.watch("context", self)
            self.shape: tuple[int, ...] = ()
            self.addresses: dict[str, int] = {}

        def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
            if gpu.fails("set_optimization_profile_async"):
                raise RuntimeError("the binding raises")
            return True

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            self.shape = shape
            return not gpu.fails("set_input_shape")

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self.shape

        def set_tensor_address(self, name: str, address: int) -> bool:
            self.addresses[name] = address
            return not gpu.fails("set_tensor_address")

        def update_device_memory_size_for_shapes(self) -> int:
            return 0 if gpu.fails("update_device_memory_size_for_shapes") else 256

        def set_device_memory(self, address: int, size: int) -> None:
            assert address in gpu.memory

        def execute_async_v3(self, stream: int) -> bool:
            if gpu.fails("execute_async_v3"):
                return False
            source, to = self.addresses["input"], self.addresses["output"]
            gpu.queue(lambda: ctypes.memmove(to, source, len(gpu.memory[source])))
            return True

    class Cache:
        def __init__(self) -> None:
            gpu.watch("runtime cache", self)

        def serialize(self) -> bytes | None:
            return None if gpu.fails("serialize") else b"kernels"

        def deserialize(self, content: bytes) -> bool:
            return not gpu.fails("deserialize")

    class RuntimeConfig:
        def __init__(self) -> None:
            gpu.watch("runtime config", self)

        def set_execution_context_allocation_strategy(self, strategy: int) -> None: ...
        def set_runtime_cache(self, cache: Any) -> None: ...
        def create_runtime_cache(self) -> Any:
            return Cache()

    class Engine:
        num_io_tensors = 2

        def __init__(self) -> None:
            gpu.watch("engine", self)

        def get_tensor_name(self, i: int) -> str:
            return ("input", "output")[i]

        def get_tensor_dtype(self, name: str) -> str:
            return "DataType.FLOAT"

        def create_execution_context(self, how: Any = None) -> Any:
            return None if gpu.fails("create_execution_context") else Context()

        def create_runtime_config(self) -> Any:
            return RuntimeConfig()

    class Runtime:
        engine_host_code_allowed = False

        def __init__(self, logger: Any) -> None:
            gpu.watch("runtime", self)

        def deserialize_cuda_engine(self, content: bytes) -> Any:
            return None if gpu.fails("deserialize_cuda_engine") else Engine()

    logger = type("ILogger", (), {"ERROR": 1, "WARNING": 2, "__init__": lambda self: None})
    return SimpleNamespace(
        __name__="tensorrt_rtx" if rtx else "tensorrt", __version__=version, Runtime=Runtime,
        ILogger=logger, CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE=1),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=2),
    )  # fmt: skip
