"""Engines executed by TensorRT, its lean runtime, or TensorRT-RTX. No torch.

The manifest is read first, and an engine that does not fit this machine is refused with both sides
named, before the library sees it.

    lanes    each has a stream, so callers in several threads upload, compute and download side by
             side; a caller that finds none free waits
    plans    per lane and input shape: a context, pinned and device buffers, memory sized for that
             very shape, and from the second run on a CUDA graph of upload, compute and download
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from types import ModuleType
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

LANES = 3  # upload, compute and download of three inputs can overlap
PLANS_KEPT = 2  # per lane: a video has one shape, tiles have one
log = logging.getLogger(__name__)


class EngineBackend:
    """A `Backend` over an engine."""

    concurrency = LANES

    def __init__(self, path: Path, flavor: str | None = None) -> None:
        """Read the manifest, compare it with this machine, and load the engine.

        Args:
            path: the engine; its manifest lies beside it.
            flavor: the library that was asked for; None for the engine's own.

        Raises:
            EngineError: the engine or its manifest is missing, damaged, or of another flavor,
                version, platform or GPU.
            ProviderError: the library is not installed, or there is no GPU.
        """
        self._path = path
        manifest = self.manifest = manifest_of(path)
        module = _module_for(manifest, flavor, path)
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
        self._lanes = [_Lane(self._contexts) for _ in range(LANES)]
        self._free: LifoQueue[_Lane | None] = LifoQueue()
        for lane in self._lanes:
            self._free.put(lane)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """See `Backend`.

        Raises:
            ShapeError: the shape is in no profile.
        """
        profile = self.manifest.check_profile(batch.shape, self._path)
        with self._lane() as lane:
            return lane.run(batch, profile)

    def close(self) -> None:
        """Free all of the GPU's memory; waits for runs that are under way."""
        for _ in self._lanes:
            lane = self._free.get()
            assert lane is not None
            lane.close()
        self._lanes = []
        self._free.put(None)  # for whoever waits for a lane
        self._contexts.close()

    @contextmanager
    def _lane(self) -> Iterator["_Lane"]:
        lane = self._free.get()
        if lane is None:
            self._free.put(None)
            raise RuntimeError("the engine was closed")
        try:
            yield lane
        finally:
            self._free.put(lane)

    def _info(self, name: str) -> TensorInfo:
        """Describe a tensor; sizes that the profiles leave no choice about are fixed."""
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
        log: what the library says.
    """

    def __init__(self, module: ModuleType, path: Path, manifest: Manifest) -> None:
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
        """Whether the library replays its own CUDA graphs: TensorRT-RTX does."""
        return self.manifest.flavor == "tensorrt_rtx"

    def save_cache(self) -> None:
        """Keep the kernels that TensorRT-RTX compiled for this GPU, beside the engine."""
        content = None if self._cache is None else self._cache.serialize()
        if content is None:
            return
        try:
            with written_whole(_cache_path(self._path)) as temporary:
                temporary.write_bytes(memoryview(content))
        except DRSformerError as error:  # it only costs time at the next start
            log.warning("%s", error)

    def close(self) -> None:
        """Free the engine; contexts must be gone."""
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


class _Lane:
    """A stream with its plans; used by one thread at a time."""

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
    """What one stream needs for one input shape."""

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
        """Make buffers, then a context that uses them, and memory for it."""
        contract = self._contexts.manifest.contract
        # the output has the input's shape: the network keeps sizes, and so does the contract
        self._input = self._own(Pinned(shape, contract.dtype))
        self._output = self._own(Pinned(shape, contract.dtype))
        # made before the context: reading TensorRT-RTX's cache wants CUDA awake on this thread
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
        if not needed:  # this network always needs some; 0 is how it says that it failed
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
            self._ran = True  # the first run sets up what no recording may contain
            if not self._contexts.records_graphs_itself:
                self._graph = self._recorded()
        return result

    def _recorded(self) -> Graph | None:
        """Record a run; a network that cannot be recorded is queued anew each time."""
        try:
            return self._stream.captured(self._queue)
        except RuntimeError as error:
            log.info("%s: runs are not recorded: %s", self._contexts.log.reason(), error)
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


def _module_for(manifest: Manifest, asked: str | None, path: Path) -> ModuleType:
    """Import the library that runs an engine."""
    able = [manifest.flavor]
    if manifest.flavor == "tensorrt" and manifest.runs_on.version_compatible:
        able.append("tensorrt_lean")
    if asked is not None and asked not in able:
        raise EngineError(
            f"{path} is an engine of {LIBRARIES[manifest.flavor].title}, and provider {asked!r} was "
            f"asked for; it runs with {' or '.join(able)}"
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
