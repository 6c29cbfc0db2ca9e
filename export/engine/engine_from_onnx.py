"""From a typed ONNX file to an engine and its manifest: parse, audit, build, then write both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from drsformer import __version__
from drsformer.context import QUIET, Context
from drsformer.contract import METADATA_KEY, Contract, contract_from_json
from drsformer.engine.cuda import use_device
from drsformer.engine.gpu import DEFAULT_DEVICE, Gpu, gpu_here, platform_here
from drsformer.engine.libraries import LIBRARIES, Library, module_of, version_of
from drsformer.engine.manifest import BuiltOn, Manifest, RunsOn, manifest_path, shapes_text
from drsformer.errors import EngineError, ProviderError
from drsformer.files import sha256_of, written_whole

from ..graph import load_onnx, metadata_of
from .audit import Audit, audited, precision_of
from .build import engine_from_network
from .network import network_from_onnx
from .settings import EngineSettings

# what TensorRT-RTX builds for when no GPU is named (its guide, "Compute Capability")
RTX_DEFAULT = ("8.0", "8.6", "8.9", "12.0")
OLDEST_COMPATIBLE = "8.0"  # of the hardware level AMPERE_PLUS


@dataclass(frozen=True)
class BuildRequest:
    """What to build, and how.

    Attributes:
        source: what `drs-export onnx` or `convert` wrote.
        output: the engine to write; its manifest goes beside it.
        settings: how to build.
        kept: name of each node that stays in float32 by rule, to its part; see `audited`.
        command: how the engine is made, for the manifest.
        inputs: further files that must not be overwritten.
        timing_cache: see `default_timing_cache`; TensorRT only.
        model: what is in `source`, where the caller has read it already.
    """

    source: Path
    output: Path
    settings: EngineSettings
    kept: Mapping[str, str]
    command: str = ""
    inputs: Sequence[Path] = ()
    timing_cache: Path | None = None
    model: onnx.ModelProto | None = None


@dataclass(frozen=True)
class BuiltEngine:
    """The result of a build.

    Attributes:
        path: the engine.
        manifest_path: ENGINE.json beside it.
        manifest: its content.
        audit: the types that the layers compute in.
        warnings: the library's warnings, each once.
    """

    path: Path
    manifest_path: Path
    manifest: Manifest
    audit: Audit
    warnings: tuple[str, ...]


def engine_from_onnx(request: BuildRequest, context: Context = QUIET) -> BuiltEngine:
    """Build an engine from an exported or converted file, and write it with its manifest.

    Args:
        request: what to build, and how.
        context: told the steps: reading the network, and the phases of the builder.

    Raises:
        ExportError: the source is no ONNX model.
        ProviderError: the library is not installed.
        EngineError: the model is not ours, its layers do not have the types that it says, or the
            engine cannot be built. Nothing was written.
    """
    source, output, settings = request.source, request.output, request.settings
    check_output(output)
    proto = request.model or load_onnx(source)
    planned = planned_manifest(proto, source, settings, request.command)
    module = module_of(settings.engine_library)
    _check_can_build(settings)
    if settings.device is not None:  # the builder, made next, remembers it
        use_device(settings.device)
    context.step("reading the network")
    parsed = network_from_onnx(module, proto)
    audit = audited(parsed.network, proto, request.kept)
    context.step(f"building for {', '.join(map(shapes_text, settings.profiles))}")
    inputs = [source, *request.inputs]
    with (
        written_whole(manifest_path(output), inputs=inputs) as temporary_manifest,
        written_whole(output, inputs=inputs) as temporary,
    ):
        content = engine_from_network(
            parsed, settings, timing_cache=request.timing_cache, context=context
        )
        temporary.write_bytes(content)
        manifest = replace(
            planned,
            engine_sha256=sha256_of(temporary),
            engine_bytes=len(content),
            version=version_of(module),
            runs_on=_runs_on(settings),
            built_on=_built_on(settings),
            layers=audit.layers,
        )
        temporary_manifest.write_text(manifest.to_json(), encoding="utf-8")
    warnings = tuple(dict.fromkeys(parsed.log.warnings))
    return BuiltEngine(output, manifest_path(output), manifest, audit, warnings)


def check_output(output: Path) -> None:
    """Raise EngineError for an output without a name, or with another kind of file's suffix."""
    if not output.name:
        raise EngineError("the engine needs a name, such as derain.engine")
    if output.suffix in (".onnx", ".json", ".pth", ".safetensors"):
        raise EngineError(f"{output} is named as another kind of file; an engine is NAME.engine")


def contract_of(proto: onnx.ModelProto, source: Path) -> Contract:
    """Return a model's contract; raises EngineError where it has none or does not keep it."""
    metadata = metadata_of(proto)
    if METADATA_KEY not in metadata:
        raise EngineError(
            f"{source} is not a model of drs-export (no contract in its metadata), so the engine "
            "could not say how to feed it; make one with `drs-export onnx`"
        )
    contract: Contract = contract_from_json(metadata[METADATA_KEY], source=str(source))
    ends = [*proto.graph.input, *proto.graph.output]
    names = [value.name for value in ends]
    ranks = {len(value.type.tensor_type.shape.dim) for value in ends}
    if names != [contract.input_name, contract.output_name] or ranks != {len(contract.layout)}:
        raise EngineError(
            f"{source} has {', '.join(names) or 'no tensors'} where its contract says "
            f"{contract.input_name} and {contract.output_name}, {contract.layout}; it is not a "
            "model of drs-export"
        )
    return contract


def chosen_library(name: str, compute_capabilities: tuple[str, ...]) -> Library:
    """Return the library to build with.

    Args:
        name: "tensorrt", "rtx", or "auto" for the first of them that is installed.
        compute_capabilities: to build for; where there are any, "auto" is TensorRT-RTX.

    Raises:
        ProviderError: "auto", and neither library is installed.
    """
    tensorrt, rtx = LIBRARIES["tensorrt"], LIBRARIES["tensorrt_rtx"]
    if name != "auto":
        return tensorrt if name == "tensorrt" else rtx
    reasons = []
    for library in (rtx,) if compute_capabilities else (tensorrt, rtx):
        try:
            module_of(library)
            return library
        except ProviderError as error:
            reasons.append(str(error))
    raise ProviderError("; or ".join(reasons))


def default_timing_cache(
    library: Library, folder: Path, device: int = DEFAULT_DEVICE
) -> Path | None:
    """Return the file of kernel times for this version, CUDA and GPU; None for TensorRT-RTX.

    TensorRT-RTX measures nothing while it builds, and with a cache it would need a GPU.
    """
    if library is not LIBRARIES["tensorrt"]:
        return None
    gpu = gpu_here(device)
    name = f"tensorrt-{version_of(module_of(library))}-cuda{gpu.cuda}-{gpu.name}.timing"
    return folder / "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def _gpu(settings: EngineSettings) -> Gpu | None:
    """Return the GPU that builds; None where there is none, which TensorRT-RTX needs not."""
    try:
        return gpu_here(settings.device or DEFAULT_DEVICE)
    except ProviderError:
        return None


def _built_on(settings: EngineSettings) -> BuiltOn:
    gpu = _gpu(settings)
    if gpu is None:
        return BuiltOn()
    return BuiltOn(gpu.name, gpu.compute_capability, gpu.cuda)


def _runs_on(settings: EngineSettings) -> RunsOn:
    asked = settings.compute_capabilities
    if settings.engine_library is LIBRARIES["tensorrt_rtx"]:  # portable between Linux and Windows
        return RunsOn(asked or RTX_DEFAULT, newer=not asked)
    gpu = gpu_here(settings.device or DEFAULT_DEVICE)
    newer = settings.hardware == "ampere+"
    lowest = OLDEST_COMPATIBLE if newer else gpu.compute_capability
    return RunsOn((lowest,), newer, settings.version_compatible, platform_here())


def planned_manifest(
    proto: onnx.ModelProto, source: Path, settings: EngineSettings, command: str
) -> Manifest:
    """Return what is known of an engine before it is built; the other values are empty.

    Args:
        proto: the model.
        source: its file.
        settings: how it will be built.
        command: how the engine is made.

    Raises:
        EngineError: the model is not ours, or its metadata cannot be read.
    """
    metadata = metadata_of(proto)
    return Manifest(
        engine_sha256="",
        engine_bytes=0,
        flavor=settings.engine_library.name,
        version="",
        precision=precision_of(proto),
        contract=contract_of(proto, source),
        profiles=settings.profiles,
        runs_on=RunsOn(()),
        built_on=BuiltOn(),
        options=_options(settings),
        layers={},
        onnx_file=source.name,
        onnx_sha256=sha256_of(source),
        checkpoint_sha256=metadata.get("checkpoint_sha256", ""),
        drs_export_version=__version__,
        command=command,
        other_gpus=_other_gpus(settings),
        calibration=_calibration(metadata, source),
    )


def _other_gpus(settings: EngineSettings) -> str | None:
    """Return what TensorRT promises on other GPUs of the same compute capability; see Manifest."""
    if settings.engine_library is not LIBRARIES["tensorrt"] or settings.hardware != "none":
        return None
    return (
        "TensorRT promises to run this engine on the GPU model that built it. On another model of "
        "the same compute capability it gives a warning, and the engine may be slower or fail; "
        "build it there, or with --hardware-compatible same-capability."
    )


def _calibration(metadata: dict[str, str], source: Path) -> dict[str, Any] | None:
    """Return where a model's scales came from, or None for a model without scales."""
    if "calibration" not in metadata:
        return None
    try:
        found: dict[str, Any] = dict(json.loads(metadata["calibration"]))
    except (ValueError, TypeError, RecursionError) as error:
        raise EngineError(
            f"{source}: what it says of its calibration cannot be read; convert it again"
        ) from error
    return found


def _check_can_build(settings: EngineSettings) -> None:
    """Raise EngineError now for what the library would refuse after minutes of building."""
    rtx = settings.engine_library is LIBRARIES["tensorrt_rtx"]
    if rtx and (settings.strip_weights or settings.refit) and _gpu(settings) is None:
        raise EngineError(
            "TensorRT-RTX engines without weights, or to refit, can be built on a GPU only; leave "
            "--strip-weights and --refit out"
        )


def _options(settings: EngineSettings) -> dict[str, Any]:
    return {
        "workspace_bytes": settings.workspace_bytes,
        "optimisation_level": settings.level,
        "hardware": settings.hardware,
        "stripped_weights": settings.strip_weights,
        "refit": settings.refit,
    }
