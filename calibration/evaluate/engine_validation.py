"""Is an engine what its manifest says, and does it compute what its ONNX file does?

The checks that need no GPU are made on every machine. The report says which ones could not be made.

Validation is in this room and not in export because it needs calibration's rules, simulated
precision and top-k masks, and export must not import calibration.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import onnx

from drsformer.context import QUIET, Context
from drsformer.engine.gpu import DEFAULT_DEVICE, Gpu, gpu_here
from drsformer.engine.libraries import LIBRARIES, module_of, version_of
from drsformer.engine.manifest import Manifest, manifest_of, manifest_path
from drsformer.errors import DRSformerError, EngineError
from drsformer.export.engine.audit import audited
from drsformer.export.engine.network import network_from_onnx
from drsformer.export.graph import load_onnx
from drsformer.files import sha256_of, written_whole

from ..precision_rules import kept_parts
from .engine_on_gpu import Comparison, compared_on_gpu

Outcome = Literal["ok", "differs", "not done"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        what: the subject, in a few words.
        outcome: "not done" where this machine cannot make the check.
        detail: figures, or the reason why it was not done.
    """

    what: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class EngineReport:
    """All checks of an engine.

    Attributes:
        checks: in order.
        comparisons: of outputs and stages on the GPU; empty without a GPU.
    """

    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check found a difference."""
        return all(check.outcome != "differs" for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether every check could be made here."""
        return all(check.outcome != "not done" for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self) | {"passed": self.passed, "complete": self.complete}


def validate_engine(
    engine: Path, context: Context = QUIET, device: int = DEFAULT_DEVICE
) -> EngineReport:
    """Check an engine against its manifest, its ONNX file and, on a GPU, ONNX Runtime.

    The result of the comparison on a GPU is written into the manifest.

    Args:
        engine: what `drs-export trt` wrote, with its manifest and its ONNX file beside it.
        context: told the steps.
        device: CUDA ordinal of the GPU to run it on.

    Raises:
        EngineError: the engine or its manifest is missing or damaged, or the engine does not fit
            the GPU that is here.
    """
    context.step("reading the manifest")
    manifest = manifest_of(engine)
    checks = [Check("engine file", "ok", f"{manifest.engine_bytes:,} bytes, SHA-256 as stated")]
    source = engine.with_name(manifest.onnx_file)
    proto, found = _onnx(source, manifest)
    checks.append(found)
    if proto is None:
        return EngineReport(tuple(checks))
    context.step("reading the network")
    layers = _layers(manifest, proto)
    checks.append(layers)
    gpu, found = _gpu(manifest, engine, device)
    checks.append(found)
    if gpu is None or layers.outcome == "not done":
        what = "outputs against ONNX Runtime"
        checks.append(Check(what, "not done", "needs the library and a GPU that the engine is for"))
        return EngineReport(tuple(checks))
    comparisons = compared_on_gpu(engine, manifest, proto, gpu, context)
    checks += [_compared(comparison) for comparison in comparisons if comparison.decides]
    report = EngineReport(tuple(checks), tuple(comparisons))
    _write_into_manifest(engine, manifest, gpu, report)
    return report


def _onnx(source: Path, manifest: Manifest) -> tuple[onnx.ModelProto | None, Check]:
    what = "ONNX file"
    if not source.is_file():
        return None, Check(what, "not done", f"{source.name} is not beside the engine")
    if sha256_of(source) != manifest.onnx_sha256:
        return None, Check(what, "differs", f"{source.name} is not the file it was built from")
    return load_onnx(source), Check(what, "ok", f"{source.name}, SHA-256 as stated")


def _layers(manifest: Manifest, proto: onnx.ModelProto) -> Check:
    """Parse the ONNX file again and compare the types of its layers with the manifest."""
    what = "types of the layers"
    library = LIBRARIES[manifest.flavor]
    try:
        module = module_of(library)
        parsed = network_from_onnx(module, proto)
    except DRSformerError as error:
        return Check(what, "not done", str(error))
    try:
        audit = audited(parsed.network, proto, kept_parts(proto))
    except EngineError as error:
        return Check(what, "differs", str(error))
    counted = ", ".join(f"{count} {name}" for name, count in sorted(audit.layers.items()))
    if not manifest.layers:  # built by a script, on a device that cannot count them
        return Check(what, "ok", counted)
    same = audit.layers == manifest.layers and audit.precision == manifest.precision
    if version_of(module) != manifest.version:
        return Check(what, "not done", f"{library.title} {manifest.version} built it, not this one")
    return Check(what, "ok" if same else "differs", counted)


def _gpu(manifest: Manifest, engine: Path, device: int) -> tuple[Gpu | None, Check]:
    what = "GPU"
    try:
        gpu = gpu_here(device)
    except DRSformerError as error:
        return None, Check(what, "not done", str(error))
    manifest.check_gpu(gpu.name, gpu.compute_capability, engine)
    return gpu, Check(what, "ok", f"{gpu.name}, compute capability {gpu.compute_capability}")


def _compared(comparison: Comparison) -> Check:
    outcome: Outcome = "ok" if comparison.passed else "differs"
    return Check(f"{comparison.tensor} at {comparison.shape}", outcome, comparison.detail)


def _write_into_manifest(engine: Path, manifest: Manifest, gpu: Gpu, report: EngineReport) -> None:
    """Write the result into the manifest beside the engine."""
    validation: dict[str, Any] = {
        "gpu": gpu.name,
        "passed": report.passed,
        "outputs": [asdict(c) for c in report.comparisons if c.decides],
    }
    with written_whole(manifest_path(engine)) as temporary:
        text = replace(manifest, validation=validation).to_json()
        temporary.write_text(text, encoding="utf-8")
