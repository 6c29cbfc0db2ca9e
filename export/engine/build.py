"""Builds an engine in memory from a network; Ctrl-C stops it, and an error says the reason."""

from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from drsformer.context import QUIET, Context
from drsformer.contract import CONTRACT
from drsformer.engine.cuda import use_device
from drsformer.errors import EngineError, one_line
from drsformer.files import written_whole

from .network import Parsed
from .progress import new_monitor
from .settings import EngineSettings, Hardware

_HARDWARE: dict[Hardware, str] = {
    "ampere+": "AMPERE_PLUS",
    "same-capability": "SAME_COMPUTE_CAPABILITY",
}
_POLL_S = 0.1


def engine_from_network(
    parsed: Parsed,
    settings: EngineSettings,
    *,
    timing_cache: Path | None = None,
    context: Context = QUIET,
) -> bytes:
    """Build an engine.

    Args:
        parsed: the network.
        settings: how to build.
        timing_cache: file of measured kernel times to read and extend; TensorRT only.
        context: told the builder's phases, and how far each is.

    Returns:
        The engine's bytes.

    Raises:
        EngineError: it cannot be built, or the library does not have what was asked for.
        KeyboardInterrupt: Ctrl-C was pressed; the builder was stopped.
    """
    config = _config(parsed, settings)
    cache = _timing_cache(parsed, config, timing_cache)
    monitor = new_monitor(parsed.module, context)
    config.progress_monitor = monitor
    made: list[Any] = []
    failed: list[Exception] = []
    done = Event()  # not join: after an interrupted join, Python 3.11 takes the thread for ended

    def build() -> None:
        try:
            if settings.device is not None:
                use_device(settings.device)  # each thread has a current one of its own
            made.append(parsed.builder.build_serialized_network(parsed.network, config))
        except Exception as error:  # whatever it is: an error of a thread reaches nobody
            failed.append(error)
        finally:
            done.set()

    Thread(target=build, daemon=True).start()
    try:
        while not done.wait(_POLL_S):  # short waits, so that a signal is handled at once
            pass
    except BaseException:
        context.step("stopping after the builder's present step")
        monitor.cancelled = True
        _wait_through(done)
        raise
    finally:
        if cache is not None and timing_cache is not None:
            _save_timing_cache(config, timing_cache)
    if failed:
        reason = one_line(f"{type(failed[0]).__name__}: {failed[0]}", limit=300)
        raise EngineError(f"the engine could not be built: {reason}") from failed[0]
    if not made or made[0] is None:
        raise EngineError(f"the engine could not be built: {_why(parsed.log, settings)}")
    return bytes(memoryview(made[0]))


def _wait_through(done: Event) -> None:
    """Wait, ignoring signals: a process that ends while the builder is in a step crashes."""
    while not done.is_set():
        with suppress(BaseException):
            done.wait()


def _config(parsed: Parsed, settings: EngineSettings) -> Any:
    module, builder = parsed.module, parsed.builder
    config = builder.create_builder_config()
    for profile in settings.profiles:
        made = builder.create_optimization_profile()
        made.set_shape(CONTRACT.input_name, profile.min, profile.opt, profile.max)
        if config.add_optimization_profile(made) < 0:
            raise EngineError(f"the shapes {profile} are refused: {_why(parsed.log, settings)}")
    if settings.workspace_bytes is not None:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, settings.workspace_bytes)
    if settings.level is not None:
        config.builder_optimization_level = settings.level
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    for asked, flag in (
        (settings.version_compatible, "VERSION_COMPATIBLE"),
        (settings.strip_weights, "STRIP_PLAN"),
        (settings.refit, "REFIT"),
    ):
        if asked:
            config.set_flag(_member(module, module.BuilderFlag, flag))
    if settings.hardware != "none":
        config.hardware_compatibility_level = _member(
            module, module.HardwareCompatibilityLevel, _HARDWARE[settings.hardware]
        )
    if settings.compute_capabilities:
        config.num_compute_capabilities = len(settings.compute_capabilities)
        for i, capability in enumerate(settings.compute_capabilities):
            name = f"SM{capability.replace('.', '')}"
            config.set_compute_capability(_member(module, module.ComputeCapability, name), i)
    return config


def _member(module: Any, kind: Any, name: str) -> Any:
    """Return a value of one of the library's enumerations, or raise where it has no such value."""
    if not hasattr(kind, name):
        known = ", ".join(n for n in sorted(getattr(kind, "__members__", {})) if n.isupper())
        raise EngineError(
            f"{module.__name__} {module.__version__} does not know {name}; its "
            f"{kind.__name__} has {known}: choose one of these, or another version or --library"
        )
    return getattr(kind, name)


def _timing_cache(parsed: Parsed, config: Any, path: Path | None) -> Any:
    """Attach the cache; TensorRT drops entries that are from another version or GPU."""
    if path is None:
        return None
    content = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(content) or config.create_timing_cache(b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return config.get_timing_cache()


def _save_timing_cache(config: Any, path: Path) -> None:
    """Keep the measured times, also those of a stopped build; losing them only costs time."""
    with suppress(Exception), written_whole(path) as temporary:
        temporary.write_bytes(memoryview(config.get_timing_cache().serialize()))


def _why(log: Any, settings: EngineSettings) -> str:
    """Return the library's reason in one line, and what to do where that is known."""
    text: str = log.reason()
    lowered = " ".join(log.errors).lower()
    if any(word in lowered for word in ("memory", "workspace", "scratch")):
        limit = settings.workspace_bytes
        given = "" if limit is None else f" (it was {limit / 2**20:.3g} MiB)"
        return f"{text}; allow more --workspace{given}, or build for smaller --shapes"
    return text
