"""Runs engines with TensorRT, its lean runtime, or TensorRT-RTX. No torch.

The manifest is read first. An engine that does not fit this machine is refused, with both sides
named, before the library sees it.

    streams  callers in several threads use one each, so that they upload, compute and download side
             by side; a caller waits while none is free
    executions
             per stream and input shape: a context, pinned and device buffers, memory sized for that
             very shape, and from the second run on a CUDA graph of upload, compute and download
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any

from numpy.typing import NDArray

from drsformer.contract import METADATA_KEY
from drsformer.engine.cuda import Stream, use_device
from drsformer.engine.execution import Contexts, Execution, fault_named
from drsformer.engine.gpu import DEFAULT_DEVICE, gpu_here, platform_here
from drsformer.engine.libraries import LIBRARIES, module_of, version_of
from drsformer.engine.loaded_engine import engine_from_file
from drsformer.engine.manifest import Manifest, manifest_of
from drsformer.errors import EngineError, ProviderError

from .base import Sizes, TensorInfo

STREAMS = 3  # upload, compute and download of three inputs can overlap
SHAPES_KEPT = 2  # per stream: a video has one shape, tiles have one


class EngineBackend:
    """A `Backend` over an engine."""

    samples: Sizes = ()
    concurrency = STREAMS

    def __init__(
        self, path: Path, library: str | None = None, device: int = DEFAULT_DEVICE
    ) -> None:
        """Read the manifest, compare it with this machine, and load the engine.

        Args:
            path: the engine; its manifest lies beside it.
            library: name of the library that was asked for; None for the engine's own.
            device: CUDA ordinal of the GPU. It becomes the current one of each thread that opens,
                runs or closes the engine.

        Raises:
            EngineError: the engine or its manifest is missing, damaged, or of another library,
                version, platform or GPU, or CUDA failed.
            ProviderError: the library is not installed, or there is no such GPU.
        """
        self._path = path
        manifest = self.manifest = manifest_of(path)
        module = _module_for(manifest, library, path)
        manifest.check_version(version_of(module), path)
        manifest.check_platform(platform_here(), path)
        self._gpu = gpu_here(device)
        manifest.check_gpu(self._gpu.name, self._gpu.compute_capability, path)
        images = manifest.contract.layout.index("N")
        self.largest_batch: int | None = max(profile.max[images] for profile in manifest.profiles)
        self.metadata = {METADATA_KEY: manifest.contract.to_json()}
        self.inputs: tuple[TensorInfo, ...] = (self._info(manifest.contract.input_name),)
        self.outputs: tuple[TensorInfo, ...] = (self._info(manifest.contract.output_name),)
        self._free: LifoQueue[_ShapedStream | None] = LifoQueue()
        with fault_named(path, self._gpu), ExitStack() as opened:
            use_device(self._gpu.device)
            loaded = engine_from_file(module, path, manifest)
            is_rtx = manifest.flavor == "tensorrt_rtx"
            contexts = Contexts(loaded, is_rtx=is_rtx, cache=_cache_path(path))
            opened.callback(contexts.close)
            for _ in range(STREAMS):
                stream = _ShapedStream(contexts, manifest)
                opened.callback(stream.close)
                self._free.put(stream)
            self._opened: ExitStack | None = opened.pop_all()

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """See `Backend`.

        Raises:
            ShapeError: the shape is in no profile.
            EngineError: the engine was closed, or CUDA failed, mostly for lack of memory.
        """
        profile = self.manifest.check_profile(batch.shape, self._path)
        with self._free_stream() as stream, fault_named(self._path, self._gpu, batch.shape):
            use_device(self._gpu.device)
            return stream.run(batch, profile)

    def is_large(self, pixels: int) -> bool:
        """See `Backend`."""
        return False

    def prepare(self, shape: tuple[int, ...], *, as_large: bool) -> None:
        """See `Backend`; executions are made when they are needed."""

    def release(self) -> None:
        """See `Backend`; what is kept is memory of the GPU, and stays."""

    def close(self) -> None:
        """Free all GPU memory of the engine, after the runs that are under way.

        Raises:
            EngineError: CUDA failed; everything else is freed all the same.
        """
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        with fault_named(self._path, self._gpu), ExitStack() as closing:
            closing.callback(self._free.put, None)  # wakes a caller that waits for a stream
            closing.push(opened)
            for _ in range(STREAMS):
                self._free.get()  # waits for runs that are under way
            use_device(self._gpu.device)

    @contextmanager
    def _free_stream(self) -> Iterator["_ShapedStream"]:
        stream = self._free.get()
        if stream is None:
            self._free.put(None)
            raise EngineError(f"{self._path} was closed; open it again")
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
        least = tuple(map(min, zip(*(p.min for p in profiles), strict=True)))
        most = tuple(map(max, zip(*(p.max for p in profiles), strict=True)))
        return TensorInfo(name, self.manifest.contract.dtype, shape, least, most)


class _ShapedStream:
    """A stream and its executions, one for each input shape; one thread at a time uses it."""

    def __init__(self, contexts: Contexts, manifest: Manifest) -> None:
        self._contexts, self._contract = contexts, manifest.contract
        self._stream = Stream()
        self._executions: OrderedDict[tuple[int, ...], Execution] = OrderedDict()

    def run(self, batch: NDArray[Any], profile: int) -> NDArray[Any]:
        names = self._contract.input_name, self._contract.output_name
        execution = self._executions.get(batch.shape)
        if execution is None:
            while len(self._executions) >= SHAPES_KEPT:
                self._executions.popitem(last=False)[1].close()
            shapes = {names[0]: batch.shape}
            execution = self._executions[batch.shape] = Execution(
                self._contexts, self._stream, shapes, profile=profile, record=True
            )
        self._executions.move_to_end(batch.shape)
        return execution.run({names[0]: batch})[names[1]]

    def close(self) -> None:
        with ExitStack() as closing:
            closing.callback(self._stream.close)
            for execution in self._executions.values():
                closing.callback(execution.close)
            self._executions = OrderedDict()


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
