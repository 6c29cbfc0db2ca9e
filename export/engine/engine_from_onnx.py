"""ONNX file to engine file and manifest: parse, audit, build, and only then name them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from drsformer import __version__
from drsformer.contract import METADATA_KEY, Contract, contract_from_json
from drsformer.errors import EngineError, ProviderError
from drsformer.files import sha256_of, written_whole
from drsformer.flavors import FLAVORS, Flavor, module_of, version_of
from drsformer.gpu import Gpu, gpu_here, platform_here
from drsformer.manifest import BuiltOn, Manifest, RunsOn, manifest_path, shapes_text

from ..onnx_from_checkpoint import load_onnx
from ..precision import metadata_of
from .audit import Audit, audited
from .build import engine_from_network
from .network import network_from_onnx
from .progress import OnProgress
from .settings import EngineSettings

OnStep = Callable[[str], None]
# what TensorRT-RTX builds for when no target is named (its guide, "Compute Capability")
RTX_DEFAULT = ("8.0", "8.6", "8.9", "12.0")
OLDEST_COMPATIBLE = "8.0"  # of the hardware level AMPERE_PLUS


@dataclass(frozen=True)
class BuiltEngine:
    """What a build made.

    Attributes:
        path: the engine.
        manifest_path: ENGINE.json beside it.
        manifest: its content.
        audit: what the layers compute in.
        warnings: what the library warned of, each line once.
    """

    path: Path
    manifest_path: Path
    manifest: Manifest
    audit: Audit
    warnings: tuple[str, ...]


def engine_from_onnx(
    source: Path,
    output: Path,
    settings: EngineSettings,
    *,
    command: str = "",
    timing_cache: Path | None = None,
    on_step: OnStep = lambda step: None,
    on_progress: OnProgress = lambda phase, done, steps: None,
) -> BuiltEngine:
    """Build an engine from an exported or converted file.

    Args:
        source: what `drs-export onnx` or `convert` wrote.
        output: the engine to write; its manifest goes beside it.
        settings: how to build.
        command: how it is made, for the manifest.
        timing_cache: see `default_timing_cache`; TensorRT only.
        on_step: told what is being done.
        on_progress: told how far the builder is.

    Raises:
        ExportError: `source` is no ONNX model.
        ProviderError: the library is not installed.
        EngineError: the model is not ours, its layers do not come out as it says, or the engine
            cannot be built. Nothing was written.
    """
    check_output(output)
    proto = load_onnx(source)
    contract = contract_of(proto, source)
    module = module_of(settings.flavor)
    on_step("reading the network")
    parsed = network_from_onnx(module, proto)
    audit = audited(parsed.network, proto)
    on_step(f"building for {', '.join(map(shapes_text, settings.profiles))}")
    with (
        written_whole(manifest_path(output), inputs=[source]) as temporary_manifest,
        written_whole(output, inputs=[source]) as temporary,
    ):
        content = engine_from_network(
            parsed, settings, timing_cache=timing_cache, on_progress=on_progress
        )
        temporary.write_bytes(content)
        metadata = metadata_of(proto)
        manifest = Manifest(
            engine_sha256=sha256_of(temporary),
            engine_bytes=len(content),
            flavor=settings.flavor.name,
            version=version_of(module),
            precision=audit.precision,
            contract=contract,
            profiles=settings.profiles,
            runs_on=_runs_on(settings),
            built_on=_built_on(),
            options=options_of(settings),
            layers=audit.layers,
            onnx_file=source.name,
            onnx_sha256=sha256_of(source),
            checkpoint_sha256=metadata.get("checkpoint_sha256", ""),
            drs_export_version=__version__,
            command=command,
            calibration=calibration_of(metadata),
        )
        temporary_manifest.write_text(manifest.to_json(), encoding="utf-8")
    warnings = tuple(dict.fromkeys(parsed.log.warnings))
    return BuiltEngine(output, manifest_path(output), manifest, audit, warnings)


def check_output(output: Path) -> None:
    """Raise EngineError for a name that says another kind of file."""
    if output.suffix in (".onnx", ".json", ".pth", ".safetensors"):
        raise EngineError(f"{output} is named as another kind of file; an engine is NAME.engine")


def contract_of(proto: onnx.ModelProto, source: Path) -> Contract:
    """Return a model's contract; raises EngineError where it has none."""
    metadata = metadata_of(proto)
    if METADATA_KEY not in metadata:
        raise EngineError(
            f"{source} is not a model of drs-export (no contract in its metadata), so the engine "
            "could not say how to feed it; make one with `drs-export onnx`"
        )
    contract: Contract = contract_from_json(metadata[METADATA_KEY], source=str(source))
    return contract


def chosen_flavor(name: str, targets: tuple[str, ...]) -> Flavor:
    """Return the flavor for "auto", "tensorrt" or "rtx".

    Raises:
        ProviderError: "auto", and neither library is installed.
    """
    tensorrt, rtx = FLAVORS["tensorrt"], FLAVORS["tensorrt_rtx"]
    if name != "auto":
        return tensorrt if name == "tensorrt" else rtx
    reasons = []
    for flavor in (rtx,) if targets else (tensorrt, rtx):
        try:
            module_of(flavor)
            return flavor
        except ProviderError as error:
            reasons.append(str(error))
    raise ProviderError("; or ".join(reasons))


def default_timing_cache(flavor: Flavor, folder: Path) -> Path | None:
    """Return a file of kernel times for this version, CUDA and GPU; None where there is no use.

    TensorRT-RTX measures nothing while building, and asks for a GPU once it is given a cache.
    """
    if flavor is not FLAVORS["tensorrt"]:
        return None
    gpu = gpu_here()
    name = f"tensorrt-{version_of(module_of(flavor))}-cuda{gpu.cuda}-{gpu.name}.timing"
    return folder / "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def _gpu() -> Gpu | None:
    try:
        return gpu_here()
    except ProviderError:
        return None


def _built_on() -> BuiltOn:
    gpu = _gpu()
    if gpu is None:
        return BuiltOn()
    return BuiltOn(gpu.name, gpu.compute_capability, gpu.cuda)


def _runs_on(settings: EngineSettings) -> RunsOn:
    if settings.flavor is FLAVORS["tensorrt_rtx"]:  # portable between Linux and Windows
        return RunsOn(settings.targets or RTX_DEFAULT, newer=not settings.targets)
    gpu = gpu_here()
    newer = settings.hardware == "ampere+"
    lowest = OLDEST_COMPATIBLE if newer else gpu.compute_capability
    return RunsOn((lowest,), newer, settings.version_compatible, platform_here())


def calibration_of(metadata: dict[str, str]) -> dict[str, Any] | None:
    """Return where a model's scales came from, None where it has none."""
    return json.loads(metadata["calibration"]) if "calibration" in metadata else None


def options_of(settings: EngineSettings) -> dict[str, Any]:
    """Return what a manifest says of how the engine was built."""
    return {
        "workspace_bytes": settings.workspace_bytes,
        "optimisation_level": settings.level,
        "hardware": settings.hardware,
        "stripped_weights": settings.strip_weights,
        "refit": settings.refit,
    }
