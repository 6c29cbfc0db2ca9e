"""Runs engines with TensorRT, its lean runtime, or TensorRT-RTX. No torch.

The manifest is read first. An engine that does not fit this machine is refused, with both sides
named, before the library sees it.

    streams  callers in several threads use one each, so that they upload, compute and download side
             by side; a caller waits while none is free
    plans    per stream and input shape: a context, pinned and device buffers, memory sized for that
             very shape, and from the second run on a CUDA graph of upload, compute and download
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsformer.contract import METADATA_KEY
from drsformer.engine.cuda import Device, Graph, Pinned, Stream
from drsformer.engine.gpu import gpu_here, platform_here
from drsformer.engine.libraries import LIBRARIES, module_of, version_of
from drsformer.engine.loaded_engine import LoadedEngine
from drsformer.engine.manifest import Manifest, manifest_of
from drsformer.errors import DRSformerError, EngineError, ProviderError
from drsformer.files import written_whole

from .base import TensorInfo

STREAMS = 3  # upload, compute and download of three inputs can overlap
PLANS_KEPT = 2  # per stream: a video has one shape, tiles have one
log = logging.getLogger(__name__)


class EngineBackend:
    """A `Backend` over an engine."""

    concurrency = STREAMS

    def __init__(self, path: Path, library: str | None = None) -> None:
        """Read the manifest, compare it with this machine, and load the engine.

        Args:
            path: the engine; its manifest lies beside it.
            library: name of the library that was asked for; None for the engine's own.

        Raises:
            EngineError: the engine or its manifest is missing, damaged, or of another library,
                version, platform or GPU.
            ProviderError: the library is not installed, or there is no GPU.
        """
        self._path = path
        manifest = self.manifest = manifest_of(path)
        module = _module_for(manifest, library, path)
        manifest.check_version(version_of(module), path)
        manifest.check_platform(platform_here(), path)
        gpu = gpu_here()
        manifest.check_gpu(gpu.name, gpu.compute_capability, path)
        self._contexts = _Contexts(module, path, manifest)
        images = manifest.contract.layout.index("N")
        self.largest_batch: int | None = max(profile.max[images] for profile in manifest.profiles)
        self.metadata = {METADATA_KEY: manifest.contract.to_json()}
        self.inputs: tuple[TensorInfo, ...] = (self._info(manifest.contract.input_name),)
        self.outputs: tuple[TensorInfo, ...] = (self._info(manifest.contract.output_name),)
        self._streams = [_PlannedStream(self._contexts) for _ in range(STREAMS)]
        self._free: LifoQueue[_PlannedStream | None] = LifoQueue()
        for stream in self._streams:
            self._free.put(stream)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """See `Backend`.

        Raises:
            ShapeError: the shape is in no profile.
        """
        profile = self.manifest.check_profile(batch.shape, self._path)
        with self._free_stream() as stream:
            return stream.run(batch, profile)

    def close(self) -> None:
        """Free all GPU memory of the engine, after the runs that are under way."""
        for _ in self._streams:
            stream = self._free.get()
            assert stream is not None
            stream.close()
        self._streams = []
        self._free.put(None)  # wakes a caller that waits for a stream
        self._contexts.close()

    @contextmanager
    def _free_stream(self) -> Iterator["_PlannedStream"]:
        stream = self._free.get()
        if stream is None:
            self._free.put(None)
            raise RuntimeError("the engine was closed")
        try:
            yield stream
        finally:
            self._free.put(stream)

    def _info(self, name: str) -> TensorInfo:
        """Describe a tensor; a size is fixed where all profiles have one and the same."""
        profiles = self.manifest.profiles
        sizes = zip(*(zip(p.min, p.max, strict=True) for p in profiles), strict=True)
        shape = tuple(
            ranges[0][0] if len({size for pair in ranges for size in pair}) == 1 else None
            for ranges in sizes
        )
        return TensorInfo(name, self.manifest.contract.dtype, shape)


class _Contexts:
    """Makes execution contexts of an engine.

    Attributes:
        manifest: of the engine.
        log: the library's logger.
    """

    def __init__(self, module: Any, path: Path, manifest: Manifest) -> None:
        self._module, self._path, self.manifest = module, path, manifest
        self._loaded = LoadedEngine(module, path, manifest)
        self.log = self._loaded.log
        self._cache: Any = None
        self._lock = Lock()

    def context(self, profile: int, stream: Stream) -> Any:
        """Return a new context, without memory of its own, set to a profile."""
        strategy = self._module.ExecutionContextAllocationStrategy.USER_MANAGED
        with self._lock:
            how = self._rtx_config(strategy) if self.records_graphs_itself else strategy
            context = self._loaded.engine.create_execution_context(how)
        if context is None or not context.set_optimization_profile_async(profile, stream.handle):
            raise RuntimeError(f"no execution context: {self.log.reason()}")
        return context

    @property
    def records_graphs_itself(self) -> bool:
        """Whether the library itself records and replays CUDA graphs: TensorRT-RTX does."""
        return self.manifest.flavor == "tensorrt_rtx"

    def save_cache(self) -> None:
        """Keep the kernels that TensorRT-RTX compiled for this GPU, beside the engine."""
        content = None if self._cache is None else self._cache.serialize()
        if content is None:
            return
        try:
            with written_whole(_cache_path(self._path)) as temporary:
                temporary.write_bytes(memoryview(content))
        except DRSformerError as error:  # without the cache, the next start only takes longer
            log.warning("%s", error)

    def close(self) -> None:
        """Free the engine; its contexts must be freed before."""
        try:
            self.save_cache()
        finally:
            self._cache = None
            self._loaded.close()

    def _rtx_config(self, strategy: Any) -> Any:
        config = self._loaded.engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.cuda_graph_strategy = self._module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            path = _cache_path(self._path)
            if path.is_file() and not self._cache.deserialize(path.read_bytes()):
                log.warning("%s is not used: %s", path, self.log.reason())
        config.set_runtime_cache(self._cache)
        return config


class _PlannedStream:
    """A stream and its plans; one thread at a time uses it."""

    def __init__(self, contexts: _Contexts) -> None:
        self._contexts = contexts
        self._stream = Stream()
        self._plans: OrderedDict[tuple[int, ...], _Plan] = OrderedDict()

    def run(self, batch: NDArray[Any], profile: int) -> NDArray[Any]:
        plan = self._plans.get(batch.shape)
        if plan is None:
            while len(self._plans) >= PLANS_KEPT:
                self._plans.popitem(last=False)[1].close()
            plan = self._plans[batch.shape] = _Plan(
                self._contexts, self._stream, batch.shape, profile
            )
        self._plans.move_to_end(batch.shape)
        return plan.run(batch)

    def close(self) -> None:
        for plan in self._plans.values():
            plan.close()
        self._plans.clear()
        self._stream.close()


class _Plan:
    """Everything that one stream needs for one input shape."""

    def __init__(
        self, contexts: _Contexts, stream: Stream, shape: tuple[int, ...], profile: int
    ) -> None:
        self._contexts, self._stream = contexts, stream
        self._graph: Graph | None = None
        self._ran = False
        self._context: Any = None
        self._owned: list[Pinned | Device] = []
        try:
            self._prepare(shape, profile)
        except BaseException:
            self.close()
            raise

    def _prepare(self, shape: tuple[int, ...], profile: int) -> None:
        """Allocate buffers, then make a context that uses them, and its memory."""
        contract = self._contexts.manifest.contract
        # the output has the input's shape: the network keeps sizes, and so does the contract
        self._input = self._own(Pinned(shape, contract.dtype))
        self._output = self._own(Pinned(shape, contract.dtype))
        # made first: reading TensorRT-RTX's cache needs a current CUDA context on this thread
        self._on_input = self._own(Device(self._input.nbytes))
        self._on_output = self._own(Device(self._output.nbytes))
        self._context = context = self._contexts.context(profile, self._stream)
        if not (
            context.set_input_shape(contract.input_name, shape)
            and context.set_tensor_address(contract.input_name, self._on_input.address)
            and context.set_tensor_address(contract.output_name, self._on_output.address)
        ):
            raise RuntimeError(f"the shape {shape} is refused: {self._contexts.log.reason()}")
        needed = context.update_device_memory_size_for_shapes()
        if not needed:  # this network always needs some, so 0 means a failure
            raise RuntimeError(f"no memory size for {shape}: {self._contexts.log.reason()}")
        context.set_device_memory(self._own(Device(needed)).address, needed)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        np.copyto(self._input.array, batch)
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue()
        self._stream.wait()
        result: NDArray[Any] = self._output.array.copy()
        if not self._ran:
            self._ran = True  # the first run allocates, which must not be recorded
            if not self._contexts.records_graphs_itself:
                self._graph = self._recorded()
        return result

    def _recorded(self) -> Graph | None:
        """Record a run, or return None for a network that cannot be recorded."""
        try:
            return self._stream.captured(self._queue)
        except RuntimeError as error:
            log.info(
                "runs are not recorded as a CUDA graph: %s: %s", error, self._contexts.log.reason()
            )
            return None

    def close(self) -> None:
        if self._graph is not None:
            self._graph.close()
            self._graph = None
        self._context = None
        for owned in reversed(self._owned):
            owned.close()
        self._owned.clear()

    def _queue(self) -> None:
        self._stream.upload(self._on_input.address, self._input)
        if not self._context.execute_async_v3(self._stream.handle):
            raise RuntimeError("the engine could not be queued")
        self._stream.download(self._output, self._on_output.address)

    def _own(self, thing: Any) -> Any:
        self._owned.append(thing)
        return thing


def _module_for(manifest: Manifest, asked: str | None, path: Path) -> Any:
    """Import the library that runs an engine."""
    able = [manifest.flavor]
    if manifest.flavor == "tensorrt" and manifest.runs_on.version_compatible:
        able.append("tensorrt_lean")
    if asked is not None and asked not in able:
        raise EngineError(
            f"{path} is an engine of {LIBRARIES[manifest.flavor].title}, and provider {asked!r} "
            f"was asked for; it runs with {' or '.join(able)}"
        )
    refused: ProviderError | None = None
    for name in [asked] if asked else able:
        try:
            return module_of(LIBRARIES[name])
        except ProviderError as error:
            refused = refused or error
    assert refused is not None
    raise ProviderError(f"{path} needs {LIBRARIES[manifest.flavor].title}: {refused}") from refused


def _cache_path(engine: Path) -> Path:
    return engine.with_name(f"{engine.name}.cache")
