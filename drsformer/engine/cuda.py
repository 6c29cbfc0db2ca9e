"""The parts of CUDA that running an engine needs: streams, buffers, graphs.

Each object owns its CUDA resource and frees it in `close`. The garbage collector would free it on
another thread, or after the driver is gone.
"""

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.engine.gpu import cudart
from drsformer.errors import EngineError


class CudaError(EngineError):
    """A call of the CUDA runtime failed.

    Attributes:
        out_of_memory: whether the GPU's memory was not enough.
    """

    def __init__(self, name: str) -> None:
        """Take CUDA's name of the error, "cudaErrorMemoryAllocation"."""
        super().__init__(f"CUDA: {name}")
        self.out_of_memory = name == "cudaErrorMemoryAllocation"


def use_device(ordinal: int) -> None:
    """Make a GPU the current one of this thread; each thread that uses CUDA has one of its own.

    Raises:
        CudaError: there is no such GPU, or it cannot be used.
    """
    check(cudart().cudaSetDevice(ordinal))


def check(result: Any) -> Any:
    """Return the values of a call of the CUDA runtime, without its error code.

    Raises:
        CudaError: the call failed.
    """
    error, *values = result if isinstance(result, tuple) else (result,)
    if int(error) != 0:
        raise CudaError(error.name)
    return values[0] if len(values) == 1 else tuple(values)


class Stream:
    """A CUDA stream that does not synchronise with the default stream.

    Attributes:
        handle: as an integer, for TensorRT.
    """

    def __init__(self) -> None:
        self._runtime = cudart()
        self._stream = check(
            self._runtime.cudaStreamCreateWithFlags(self._runtime.cudaStreamNonBlocking)
        )
        self.handle = int(self._stream)

    def wait(self) -> None:
        """Wait until everything queued is done."""
        check(self._runtime.cudaStreamSynchronize(self._stream))

    def upload(self, device: int, host: "Pinned") -> None:
        """Queue a copy to the GPU."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        check(self._runtime.cudaMemcpyAsync(device, host.address, host.nbytes, kind, self._stream))

    def download(self, host: "Pinned", device: int) -> None:
        """Queue a copy from the GPU."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        check(self._runtime.cudaMemcpyAsync(host.address, device, host.nbytes, kind, self._stream))

    def captured(self, work: Callable[[], None]) -> "Graph":
        """Record what `work` queues, so that it can be launched as a whole later."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        check(self._runtime.cudaStreamBeginCapture(self._stream, mode))
        try:
            work()
        except BaseException:  # without its end, the stream would stay in the capture
            error, graph = self._runtime.cudaStreamEndCapture(self._stream)
            if int(error) == 0 and int(graph):
                self._runtime.cudaGraphDestroy(graph)
            raise
        return Graph(check(self._runtime.cudaStreamEndCapture(self._stream)), self._stream)

    def close(self) -> None:
        """Destroy the stream."""
        check(self._runtime.cudaStreamDestroy(self._stream))


class Graph:
    """A recorded sequence of copies and kernels."""

    def __init__(self, graph: Any, stream: Any) -> None:
        self._runtime, self._stream = cudart(), stream
        made = self._runtime.cudaGraphInstantiate(graph, 0)
        freed = self._runtime.cudaGraphDestroy(graph)
        self._graph = check(made)
        try:
            check(freed)
        except CudaError:
            self.close()
            raise

    def launch(self) -> None:
        """Queue the whole sequence."""
        check(self._runtime.cudaGraphLaunch(self._graph, self._stream))

    def close(self) -> None:
        """Destroy the graph."""
        check(self._runtime.cudaGraphExecDestroy(self._graph))


class Device:
    """Memory of the GPU.

    Attributes:
        address: of its first byte.
    """

    def __init__(self, nbytes: int) -> None:
        self._runtime = cudart()
        self.address = int(check(self._runtime.cudaMalloc(max(nbytes, 1))))

    def close(self) -> None:
        """Free the memory."""
        check(self._runtime.cudaFree(self.address))


class Pinned:
    """Host memory that the GPU copies to and from while the CPU does other work.

    Attributes:
        address: of its first byte.
        nbytes: its size, bytes.
        array: a view of it.
    """

    def __init__(self, shape: Sequence[int], dtype: str) -> None:
        self._runtime = cudart()
        self.nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        self.address = int(check(self._runtime.cudaMallocHost(self.nbytes)))
        memory: Any = (ctypes.c_uint8 * self.nbytes).from_address(self.address)
        self.array: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    def close(self) -> None:
        """Free the memory; `array` must not be used any more."""
        del self.array
        check(self._runtime.cudaFreeHost(self.address))
