"""One way to execute an engine, for the runtime and for its validation.

    Contexts     makes contexts of an engine; keeps TensorRT-RTX's compiled kernels beside it
    Execution    a context with its buffers for one input shape: upload, execute, download
    fault_named  says of an error which engine, input and GPU it is about

Whatever is made is freed by `close`, also where making it fails half-way, and in the order that the
library needs: a context before its memory, the engine last.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import shape_text
from drsformer.engine.cuda import CudaError, Device, Graph, Pinned, Stream
from drsformer.engine.gpu import Gpu
from drsformer.engine.loaded_engine import LoadedEngine
from drsformer.errors import DRSformerError, EngineError
from drsformer.files import written_whole

DTYPES = {"FLOAT": "float32", "HALF": "float16", "BOOL": "bool", "UINT8": "uint8"}
log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]


class Contexts:
    """Makes execution contexts of a loaded engine; threads may share it.

    Attributes:
        loaded: the engine.
        is_rtx: whether the library is TensorRT-RTX, which records CUDA graphs itself.
    """

    def __init__(
        self, loaded: LoadedEngine, *, is_rtx: bool = False, cache: Path | None = None
    ) -> None:
        """Take an engine, which `close` frees.

        Args:
            loaded: the engine.
            is_rtx: whether TensorRT-RTX runs it.
            cache: where TensorRT-RTX keeps the kernels that it compiles for this GPU; None for
                nowhere.
        """
        self.loaded, self.is_rtx, self._cache_path = loaded, is_rtx, cache
        self._cache: Any = None
        self._lock = Lock()

    def new(self, profile: int, stream: Stream) -> tuple[Any, Any]:
        """Return a context without memory of its own, set to a profile, and what must outlive it.

        Raises:
            EngineError: the library gives none.
        """
        strategy = self.loaded.module.ExecutionContextAllocationStrategy.USER_MANAGED
        with self._lock:
            config = self._rtx_config(strategy) if self.is_rtx else strategy
            context = self.loaded.engine.create_execution_context(config)
        if context is None:
            raise EngineError(f"the engine gives no execution context: {self.loaded.log.reason()}")
        try:
            context.set_optimization_profile_async(profile, stream.handle)
        except Exception as error:  # the bindings raise what they like
            raise EngineError(f"the engine refuses profile {profile}: {error}") from error
        return context, config

    def close(self) -> None:
        """Keep what was compiled, then free the engine; its contexts must be freed before."""
        with ExitStack() as closing:
            closing.callback(self.loaded.close)
            closing.callback(self._drop_cache)
            self._save_cache()

    def _drop_cache(self) -> None:
        self._cache = None

    def _save_cache(self) -> None:
        content = None if self._cache is None else self._cache.serialize()
        if content is None or self._cache_path is None:
            return
        try:
            with written_whole(self._cache_path) as temporary:
                temporary.write_bytes(memoryview(content))
        except DRSformerError as error:  # without the cache, the next start only takes longer
            log.warning("%s", error)

    def _rtx_config(self, strategy: Any) -> Any:
        config = self.loaded.engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.cuda_graph_strategy = self.loaded.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            path = self._cache_path
            if path and path.is_file() and not self._cache.deserialize(path.read_bytes()):
                log.warning("%s is not used: %s", path, self.loaded.log.reason())
        config.set_runtime_cache(self._cache)
        return config


class Execution:
    """An engine's context for one input shape, with its buffers, on one stream."""

    def __init__(
        self,
        contexts: Contexts,
        stream: Stream,
        inputs: Mapping[str, tuple[int, ...]],
        *,
        profile: int = 0,
        record: bool = False,
    ) -> None:
        """Allocate everything.

        Args:
            contexts: of the engine.
            stream: what the work is queued on; the caller frees it later.
            inputs: shape of each input by name.
            profile: number of the profile that takes these shapes.
            record: whether to replay the work as one CUDA graph from the second run on; an engine
                of TensorRT-RTX does so by itself.

        Raises:
            EngineError: the library refuses the shapes, or CUDA failed.
        """
        self._stream, self._log = stream, contexts.loaded.log
        self._record = record and not contexts.is_rtx
        self._graph: Graph | None = None
        self._context: Any = None
        self._kept: Any = None
        self._inputs: dict[str, tuple[Pinned, Device]] = {}
        self._outputs: dict[str, tuple[Pinned, Device]] = {}
        with ExitStack() as owned:
            buffers = owned.enter_context(ExitStack())
            owned.callback(self._drop_context)  # runs before the buffers are freed
            self._context, self._kept = contexts.new(profile, stream)
            self._allocate(contexts.loaded.engine, inputs, buffers)
            self._owned = owned.pop_all()

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Arrays:
        """Execute once.

        Args:
            feed: an array for each input, of the shape given before.

        Returns:
            A new array for each output.

        Raises:
            EngineError: the engine could not be queued, or CUDA failed.
        """
        for name, (host, _) in self._inputs.items():
            np.copyto(host.array, feed[name])
        if self._graph is None:
            self._queue()
        else:
            self._graph.launch()
        self._stream.wait()
        results = {name: host.array.copy() for name, (host, _) in self._outputs.items()}
        if self._record:  # the first run allocates, which must not be recorded
            self._record = False
            self._graph = self._recorded()
        return results

    def close(self) -> None:
        """Free the context and the buffers; closing twice does nothing."""
        self._owned.close()

    def _allocate(
        self, engine: Any, inputs: Mapping[str, tuple[int, ...]], buffers: ExitStack
    ) -> None:
        """Give every input and output its buffers, and the context its memory."""
        for name, shape in inputs.items():
            if not self._context.set_input_shape(name, shape):
                raise EngineError(
                    f"the engine refuses {name} of {shape_text(shape)}: {self._log.reason()}"
                )
        for i in range(engine.num_io_tensors):
            name = engine.get_tensor_name(i)
            shape = tuple(self._context.get_tensor_shape(name))
            dtype = DTYPES[str(engine.get_tensor_dtype(name)).split(".")[-1]]
            host: Pinned = _own(buffers, Pinned(shape, dtype))
            device: Device = _own(buffers, Device(host.nbytes))
            (self._inputs if name in inputs else self._outputs)[name] = host, device
            if not self._context.set_tensor_address(name, device.address):
                raise EngineError(f"the engine refuses a buffer for {name}: {self._log.reason()}")
        needed = self._context.update_device_memory_size_for_shapes()
        if not needed:  # this network always needs some, so 0 means a failure
            raise EngineError(f"the engine needs an unknown amount of memory: {self._log.reason()}")
        self._context.set_device_memory(_own(buffers, Device(needed)).address, needed)

    def _queue(self) -> None:
        for host, device in self._inputs.values():
            self._stream.upload(device.address, host)
        if not self._context.execute_async_v3(self._stream.handle):
            raise EngineError(f"the engine could not be queued: {self._log.reason()}")
        for host, device in self._outputs.values():
            self._stream.download(host, device.address)

    def _recorded(self) -> Graph | None:
        """Record a run, or return None for a network that cannot be recorded."""
        try:
            graph = self._stream.captured(self._queue)
        except EngineError as error:
            log.info("runs are not recorded as a CUDA graph: %s: %s", error, self._log.reason())
            return None
        self._owned.callback(graph.close)
        return graph

    def _drop_context(self) -> None:
        self._context = self._kept = self._graph = None
        self._inputs, self._outputs = {}, {}


def _own(stack: ExitStack, thing: Any) -> Any:
    stack.callback(thing.close)
    return thing


@contextmanager
def fault_named(engine: Path, gpu: Gpu, shape: tuple[int, ...] | None = None) -> Iterator[None]:
    """Say of an EngineError which engine, input shape and GPU it is about, and what to do."""
    try:
        yield
    except EngineError as error:
        if str(error).startswith(str(engine)):
            raise
        where = f" on an input of {shape_text(shape)}" if shape else ""
        raise EngineError(
            f"{engine} failed{where} on GPU {gpu.device} ({gpu.name}): {error}; {_remedy(error)}"
        ) from error


def _remedy(error: EngineError) -> str:
    if isinstance(error, CudaError) and error.out_of_memory:
        return (
            "the GPU's memory is not enough: derain in pieces with --tile, or build for smaller "
            "--shapes"
        )
    return "free the GPU's memory and try again, or build the engine again on this machine"
