"""ENGINE.json: what an engine is, what it was made from, and where it runs. Needs no TensorRT.

An engine is a file that only one version of one library on some GPUs can read, and that says so
with an error number, or not at all. So the runtime reads this first and refuses, in one sentence
that names both sides. The format is specified in docs/files.md.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from drsformer.contract import CHANNELS, Contract, contract_from_json, shape_text
from drsformer.engine.libraries import FLAVORS
from drsformer.errors import EngineError, ShapeError
from drsformer.files import check_readable, sha256_of

FORMAT = 1
SUFFIX = ".json"
ENGINE_SUFFIXES = (".engine", ".plan", ".trt")
REBUILD = "build it again with `drs-export trt`"

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")
_SHA256 = re.compile("[0-9a-f]{64}")
_CAPABILITY = re.compile(r"[0-9]{1,2}\.[0-9]")
_NONE = type(None)
_KINDS: dict[str, tuple[type, ...]] = {
    "engine_sha256": (str,), "engine_bytes": (int,), "flavor": (str,), "version": (str,),
    "precision": (str,), "options": (dict,), "layers": (dict,), "onnx_file": (str,),
    "onnx_sha256": (str,), "checkpoint_sha256": (str,), "drs_export_version": (str,),
    "command": (str,), "calibration": (dict, _NONE), "validation": (dict, _NONE), "format": (int,),
}  # fmt: skip

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Profile:
    """Input shapes that an engine takes, in its contract's layout.

    Attributes:
        min: smallest size along each axis.
        opt: the shape it is fastest at.
        max: largest size along each axis.
    """

    min: Shape
    opt: Shape
    max: Shape

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a shape lies inside."""
        return all(a <= n <= b for a, n, b in zip(self.min, shape, self.max, strict=True))


@dataclass(frozen=True)
class RunsOn:
    """The machines that an engine runs on.

    Attributes:
        compute_capabilities: of the GPUs it was built for, "8.9".
        newer: whether GPUs newer than the lowest of these are fine too.
        version_compatible: whether later TensorRT versions may run it.
        platform: of the machine it was built on, "linux-x86_64"; None where any will do.
    """

    compute_capabilities: tuple[str, ...]
    newer: bool = False
    version_compatible: bool = False
    platform: str | None = None


@dataclass(frozen=True)
class BuiltOn:
    """The machine that built it; `gpu` is None where there was none.

    Attributes:
        gpu: its name.
        compute_capability: "8.9".
        cuda: version that the library was made with, where it is known.
    """

    gpu: str | None = None
    compute_capability: str | None = None
    cuda: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What lies beside an engine.

    Attributes:
        engine_sha256: of the engine file.
        engine_bytes: its size.
        flavor: name of the library, see `drsformer.engine.libraries`.
        version: its exact version.
        precision: "fp32", "fp16", "bf16", "int8" or "fp8".
        contract: the interface, as in the ONNX file.
        profiles: the shapes it takes.
        runs_on: where it runs.
        built_on: where it was built.
        options: of the build: workspace, optimisation level, stripped weights and such.
        layers: type to number of layers that compute in it, by the precision audit.
        onnx_file: name of the ONNX file it was built from; looked for beside the engine.
        onnx_sha256: of that file.
        checkpoint_sha256: of the checkpoint it began with.
        calibration: where the scales came from, or None.
        validation: what validating it found, or None while it was not validated on a GPU.
        command: how it was made.
        drs_export_version: of the tool.
        format: of this file.
    """

    engine_sha256: str
    engine_bytes: int
    flavor: str
    version: str
    precision: str
    contract: Contract
    profiles: tuple[Profile, ...]
    runs_on: RunsOn
    built_on: BuiltOn
    options: dict[str, Any]
    layers: dict[str, int]
    onnx_file: str
    onnx_sha256: str
    checkpoint_sha256: str
    drs_export_version: str
    command: str
    calibration: dict[str, Any] | None = None
    validation: dict[str, Any] | None = None
    format: int = FORMAT

    def to_json(self) -> str:
        """Return indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def check_profile(self, shape: Sequence[int], engine: Path) -> int:
        """Return the number of the first profile that takes an input shape.

        Raises:
            ShapeError: none does.
        """
        for number, profile in enumerate(self.profiles):
            if profile.takes(shape):
                return number
        accepted = " or ".join(shapes_text(profile) for profile in self.profiles)
        raise ShapeError(
            f"an input is {shape_text(shape)} ({self.contract.layout}), and {engine} was built for "
            f"{accepted}; use --tile with a size inside, or build it again with another --shapes"
        )

    def check_version(self, version: str, engine: Path) -> None:
        """Raise EngineError unless a version of the engine's own flavor can run it."""
        title = FLAVORS[self.flavor].title
        ours, theirs = _numbers(self.version), _numbers(version)
        if all(a == b for a, b in zip(ours, theirs, strict=False)):  # some say no build number
            return
        forward = self.runs_on.version_compatible and theirs[:2] >= ours[:2]
        if forward and theirs[0] - ours[0] <= 1:
            return
        raise EngineError(
            f"{engine} was built by {title} {self.version}, and here is {version}; "
            f"install that version, or {REBUILD}"
        )

    def check_gpu(self, name: str, compute_capability: str, engine: Path) -> None:
        """Raise EngineError unless it runs on a GPU of this compute capability."""
        able = self.runs_on.compute_capabilities
        lowest = min(map(_numbers, able))
        if compute_capability in able:
            return
        if self.runs_on.newer and _numbers(compute_capability) >= lowest:
            return
        newer = " and newer" if self.runs_on.newer else ""
        raise EngineError(
            f"{engine} was built for GPUs of compute capability {', '.join(able)}{newer}, and here "
            f"is {name} with {compute_capability}; {REBUILD} for it"
        )

    def check_platform(self, platform: str, engine: Path) -> None:
        """Raise EngineError unless it runs on this operating system and processor."""
        if self.runs_on.platform not in (None, platform):
            raise EngineError(
                f"{engine} was built on {self.runs_on.platform}, and here is {platform}; "
                f"{REBUILD} on this machine"
            )


def is_engine(path: Path) -> bool:
    """Whether a file is an engine: by its ending, or by the manifest beside it."""
    if not path.name:
        return False
    return path.suffix in ENGINE_SUFFIXES or (
        path.suffix != ".onnx" and manifest_path(path).is_file()
    )


def manifest_path(engine: Path) -> Path:
    """Return where an engine's manifest lies: beside it, with .json behind the whole name."""
    return engine.with_name(engine.name + SUFFIX)


def manifest_of(engine: Path) -> Manifest:
    """Read an engine's manifest and check that it is about this very file.

    Raises:
        EngineError: the engine or its manifest is missing or unreadable, or the engine is not the
            file that the manifest describes: truncated, changed, or another one.
    """
    check_readable(engine, EngineError, "expected an engine of `drs-export trt`")
    manifest = read_manifest(engine)
    size = engine.stat().st_size
    if size != manifest.engine_bytes:
        raise EngineError(
            f"{engine} has {size:,} bytes, and {manifest_path(engine).name} says "
            f"{manifest.engine_bytes:,}: cut short, or another engine; copy both files again"
        )
    found = sha256_of(engine)
    if found != manifest.engine_sha256:
        raise EngineError(
            f"{engine} has SHA-256 {found[:12]}..., and {manifest_path(engine).name} says "
            f"{manifest.engine_sha256[:12]}...: damaged, or another engine; copy both files again"
        )
    return manifest


def read_manifest(engine: Path) -> Manifest:
    """Read an engine's manifest; raises EngineError where it is missing or no manifest of ours."""
    path = manifest_path(engine)
    if not path.exists():
        raise EngineError(
            f"{engine} has no manifest {path.name} beside it, so what it was built for is unknown; "
            "copy that file too, or build the engine with `drs-export trt`"
        )
    check_readable(path, EngineError, REBUILD)
    try:
        return _manifest_from(json.loads(path.read_text(encoding="utf-8")), path)
    except (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise EngineError(
            f"{path} is not a manifest of an engine ({type(error).__name__}: {error}); {REBUILD}"
        ) from error


def shapes_text(profile: Profile) -> str:
    """Return "1x3x64x64 to 1x3x512x512", or one shape where it is fixed."""
    if profile.min == profile.max:
        return shape_text(profile.min)
    return f"{shape_text(profile.min)} to {shape_text(profile.max)}"


def _manifest_from(values: dict[str, Any], path: Path) -> Manifest:
    if values["format"] != FORMAT:
        raise EngineError(
            f"{path} has format {values['format']}, this version reads {FORMAT}; {REBUILD}"
        )
    if values["flavor"] not in FLAVORS:
        raise EngineError(
            f"{path} says flavor {values['flavor']!r}; known are {', '.join(FLAVORS)}; {REBUILD}"
        )
    known = {one.name for one in fields(Manifest)}
    made = {key: value for key, value in values.items() if key in known}
    made["contract"] = contract_from_json(json.dumps(values["contract"]), source=str(path))
    made["profiles"] = tuple(
        Profile(*(_shape(profile[key]) for key in ("min", "opt", "max")))
        for profile in values["profiles"]
    )
    runs_on = dict(values["runs_on"])
    able = tuple(runs_on.pop("compute_capabilities"))
    made["runs_on"] = RunsOn(able, **runs_on)
    made["built_on"] = BuiltOn(**values["built_on"])
    manifest = Manifest(**made)
    _check_values(manifest)
    return manifest


def _check_values(manifest: Manifest) -> None:
    """Raise ValueError for values that no engine could have."""
    for name, kinds in _KINDS.items():
        value = getattr(manifest, name)
        if type(value) not in kinds:
            raise ValueError(f"{name} is {value!r}")
    runs_on, built_on = manifest.runs_on, manifest.built_on
    texts = (runs_on.platform, built_on.gpu, built_on.compute_capability, built_on.cuda)
    flags = (runs_on.newer, runs_on.version_compatible)
    able = runs_on.compute_capabilities
    name = manifest.onnx_file
    for what, fine in (
        ("profiles", bool(manifest.profiles)),
        ("precision", manifest.precision in PRECISIONS),
        ("flavor", FLAVORS[manifest.flavor].builds),
        ("engine_bytes", manifest.engine_bytes > 0),
        ("onnx_file", bool(name) and Path(name).name == name),
        ("layers", all(type(n) is int for n in manifest.layers.values())),
        ("runs_on", all(type(flag) is bool for flag in flags)),
        ("runs_on or built_on", all(type(text) in (str, _NONE) for text in texts)),
        ("compute_capabilities", bool(able) and all(_CAPABILITY.fullmatch(one) for one in able)),
        ("engine_sha256", bool(_SHA256.fullmatch(manifest.engine_sha256))),
        ("onnx_sha256", bool(_SHA256.fullmatch(manifest.onnx_sha256))),
    ):
        if not fine:
            raise ValueError(f"its {what} cannot be")
    _numbers(manifest.version)
    channels = manifest.contract.layout.index("C")
    for profile in manifest.profiles:
        for low, usual, high in zip(profile.min, profile.opt, profile.max, strict=True):
            if not 1 <= low <= usual <= high:
                raise ValueError(f"{shapes_text(profile)} is no range")
        if {profile.min[channels], profile.max[channels]} != {CHANNELS}:
            raise ValueError(f"{shapes_text(profile)} has not {CHANNELS} channels")


def _shape(values: Sequence[Any]) -> Shape:
    batch, a, b, c = values
    if any(type(value) is not int for value in values):
        raise ValueError(f"{values!r} is no shape")
    return batch, a, b, c


def _numbers(version: str) -> tuple[int, ...]:
    """Return (10, 7, 0) for "10.7.0" and for "10.7.0.post1"."""
    return tuple(int(part) for part in version.split(".post")[0].split(".")[:4])
