"""ENGINE.json: what an engine is, what it was made from, and where it runs. Needs no TensorRT.

Only one version of one library can read an engine, on some GPUs only. Elsewhere the library gives
an error number, or nothing at all. So the runtime reads this file first, and refuses an engine that
does not fit in one sentence that names both sides. docs/files.md specifies the format.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from drsformer.contract import CHANNELS, Contract, contract_from_json, shape_text
from drsformer.engine.libraries import LIBRARIES
from drsformer.errors import EngineError, ShapeError, one_line
from drsformer.files import check_readable, sha256_of

FORMAT = 1
SUFFIX = ".json"
ENGINE_SUFFIXES = (".engine", ".plan", ".trt")
_UNREADABLE = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
REBUILD = "build it again with `drs-export trt`"

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")
BUILDERS = tuple(name for name, library in LIBRARIES.items() if library.builds)

InputShape = tuple[int, int, int, int]  # in the contract's layout


@dataclass(frozen=True)
class Profile:
    """Input shapes that an engine takes.

    Attributes:
        min: smallest size along each axis.
        opt: the shape it is fastest at.
        max: largest size along each axis.
    """

    min: InputShape
    opt: InputShape
    max: InputShape

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a shape lies inside."""
        return all(a <= n <= b for a, n, b in zip(self.min, shape, self.max, strict=True))


@dataclass(frozen=True)
class RunsOn:
    """The machines that an engine runs on.

    Attributes:
        compute_capabilities: of the GPUs it was built for, "8.9".
        newer: whether it also runs on GPUs newer than the lowest of these.
        version_compatible: whether later TensorRT versions may run it.
        platform: operating system and processor it needs, "linux-x86_64"; None for any.
    """

    compute_capabilities: tuple[str, ...]
    newer: bool = False
    version_compatible: bool = False
    platform: str | None = None


@dataclass(frozen=True)
class BuiltOn:
    """The GPU of the machine that built the engine; all None where there was no GPU.

    Attributes:
        gpu: its name.
        compute_capability: "8.9".
        cuda: version of CUDA that its driver knows.
    """

    gpu: str | None = None
    compute_capability: str | None = None
    cuda: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What is known of an engine; its names are the keys of the file.

    Attributes:
        engine_sha256: of the engine file.
        engine_bytes: its size.
        flavor: name of its library, see `drsformer.engine.libraries`.
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
        other_gpus: what the library promises on a GPU that `runs_on` allows and `built_on` is not;
            None where that is the same.
        calibration: where the scales came from, or None.
        validation: what `validate` found on a GPU, or None before that.
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
    other_gpus: str | None = None
    calibration: dict[str, Any] | None = None
    validation: dict[str, Any] | None = None
    format: int = FORMAT

    def to_json(self) -> str:
        """Return indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def check_profile(self, shape: Sequence[int], engine: Path) -> int:
        """Return the number of the first profile that takes an input shape.

        Raises:
            ShapeError: no profile takes it.
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
        """Raise EngineError unless this version of the engine's own library can run it."""
        title = LIBRARIES[self.flavor].title
        ours, theirs = _numbers(self.version), _numbers(version)
        alike = all(a == b for a, b in zip(ours, theirs, strict=False))  # some have no build number
        if alike and _pre_release(self.version) == _pre_release(version):
            return
        released = not _pre_release(self.version) and not _pre_release(version)
        forward = self.runs_on.version_compatible and released and theirs[:2] >= ours[:2]
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
    """Whether a file is an engine, by its suffix or by the manifest beside it."""
    if not path.name:
        return False
    return path.suffix in ENGINE_SUFFIXES or (
        path.suffix != ".onnx" and manifest_path(path).is_file()
    )


def manifest_path(engine: Path) -> Path:
    """Return the path of an engine's manifest: the engine's name followed by .json."""
    return engine.with_name(engine.name + SUFFIX)


def manifest_of(engine: Path) -> Manifest:
    """Read an engine's manifest and check that it describes this very file.

    Raises:
        EngineError: the engine or its manifest is missing or unreadable, or the engine's size or
            SHA-256 differs from the manifest's.
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
    """Read an engine's manifest; raises EngineError where it is missing or not valid."""
    path = manifest_path(engine)
    if not path.exists():
        raise EngineError(
            f"{engine} has no manifest {path.name} beside it, so what it was built for is unknown; "
            "copy that file too, or build the engine with `drs-export trt`"
        )
    check_readable(path, EngineError, REBUILD)
    try:
        manifest = _manifest_from(json.loads(path.read_text(encoding="utf-8")), path)
    except _UNREADABLE as error:
        raise EngineError(
            f"{path} is not a manifest of an engine ({type(error).__name__}: {error}); {REBUILD}"
        ) from error
    _check_values(manifest, path)
    return manifest


def shapes_text(profile: Profile) -> str:
    """Return "1x3x64x64 to 1x3x512x512", or one shape where it is fixed."""
    if profile.min == profile.max:
        return shape_text(profile.min)
    return f"{shape_text(profile.min)} to {shape_text(profile.max)}"


def _manifest_from(values: dict[str, Any], path: Path) -> Manifest:
    """Return a manifest of JSON values, unchecked; keys that a later version added are dropped."""
    if values["format"] != FORMAT:
        raise EngineError(
            f"{path} has format {values['format']}, this version reads {FORMAT}; {REBUILD}"
        )
    known = {one.name for one in fields(Manifest)}
    runs_on = dict(values["runs_on"])
    made = {key: value for key, value in values.items() if key in known} | {
        "contract": contract_from_json(json.dumps(values["contract"]), source=str(path)),
        "profiles": tuple(map(_profile_from, values["profiles"])),
        "runs_on": RunsOn(tuple(runs_on.pop("compute_capabilities")), **runs_on),
        "built_on": BuiltOn(**values["built_on"]),
    }
    return Manifest(**made)


def _profile_from(values: dict[str, Any]) -> Profile:
    low, usual, high = (tuple(values[key]) for key in ("min", "opt", "max"))
    return Profile(low, usual, high)  # _check_values finds what is not four numbers


def _is(*kinds: type) -> Callable[[Any], bool]:
    """Test for exactly these types: to isinstance, True is a number."""
    return lambda value: type(value) in kinds


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and re.fullmatch(pattern, value) is not None


def _is_file_name(value: Any) -> bool:
    return type(value) is str and value != "" and Path(value).name == value


_is_capability = _matches(r"[0-9]{1,2}\.[0-9]")
_Rule = tuple[Callable[[Any], bool], str]
_TEXT: _Rule = (_is(str), "text")
_TEXT_OR_NULL: _Rule = (_is(str, type(None)), "text or null")
_OBJECT_OR_NULL: _Rule = (_is(dict, type(None)), "an object or null")
_FLAG: _Rule = (_is(bool), "true or false")
_HASH: _Rule = (_matches("[0-9a-f]{64}"), "64 hexadecimal digits")
_VALID: dict[str, _Rule] = {  # which values a manifest may have, and what a refusal says of them
    "format": (_is(int), f"the number {FORMAT}"),
    "engine_sha256": _HASH,
    "engine_bytes": (lambda n: type(n) is int and n > 0, "a whole number above 0"),
    "flavor": (lambda name: name in BUILDERS, " or ".join(BUILDERS)),
    "version": (_matches(r"[0-9]+(\.[0-9]+)*[.a-z0-9]*"), "a version such as 10.3.0.26"),
    "precision": (lambda name: name in PRECISIONS, " or ".join(PRECISIONS)),
    "profiles": (bool, "at least one profile"),
    "runs_on.compute_capabilities": (lambda a: a and all(map(_is_capability, a)), "such as 8.9"),
    "runs_on.newer": _FLAG, "runs_on.version_compatible": _FLAG, "runs_on.platform": _TEXT_OR_NULL,
    "built_on.gpu": _TEXT_OR_NULL, "built_on.compute_capability": _TEXT_OR_NULL,
    "built_on.cuda": _TEXT_OR_NULL,
    "options": (_is(dict), "an object"),
    "layers": (lambda n: _is(dict)(n) and all(map(_is(int), n.values())), "whole numbers by type"),
    "onnx_file": (_is_file_name, "the name of a file, without a folder"),
    "onnx_sha256": _HASH, "checkpoint_sha256": _TEXT,
    "other_gpus": _TEXT_OR_NULL, "calibration": _OBJECT_OR_NULL, "validation": _OBJECT_OR_NULL,
    "command": _TEXT, "drs_export_version": _TEXT,
}  # fmt: skip


def _check_values(manifest: Manifest, path: Path) -> None:
    """Raise EngineError for values that no engine could have."""
    for name, (valid, expected) in _VALID.items():
        value = attrgetter(name)(manifest)
        if not valid(value):
            raise EngineError(
                f"{path}: {name} {one_line(repr(value), limit=200)} is not a valid value: expected "
                f"{expected}; {REBUILD}"
            )
    channels = manifest.contract.layout.index("C")
    for profile in manifest.profiles:
        if not _ascends(profile) or {profile.min[channels], profile.max[channels]} != {CHANNELS}:
            raise EngineError(
                f"{path}: {one_line(repr(profile), limit=200)} is not a valid value: expected four "
                f"sizes above 0 each, ascending from min to max, and {CHANNELS} channels; {REBUILD}"
            )


def _ascends(profile: Profile) -> bool:
    """Whether a profile has four whole sizes in each of its shapes, and is a range."""
    shapes = (profile.min, profile.opt, profile.max)
    if any(len(shape) != 4 or any(type(n) is not int for n in shape) for shape in shapes):
        return False
    return all(1 <= a <= b <= c for a, b, c in zip(*shapes, strict=True))


def _numbers(version: str) -> tuple[int, ...]:
    """Return (10, 7, 0) for "10.7.0", "10.7.0.post1" and "10.7.0rc1"."""
    numbers = re.match(r"[0-9]+(\.[0-9]+){0,3}", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def _pre_release(version: str) -> str:
    """Return "rc1" for "10.7.0rc1", and nothing for a release, also a repeated one (".post1")."""
    return re.sub(r"^[0-9.]*(post[0-9]+)?", "", version)
