"""The manifest reads back as written, and refuses what does not fit, naming both sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drsformer.contract import CONTRACT
from drsformer.engine.manifest import (
    BuiltOn,
    Manifest,
    Profile,
    RunsOn,
    is_engine,
    manifest_of,
    manifest_path,
)
from drsformer.errors import EngineError, ShapeError
from drsformer.files import sha256_of

ENGINE = Path("x.engine")
FRAMES = Profile((1, 3, 64, 64), (1, 3, 256, 256), (2, 3, 512, 1024))
TILES = Profile((1, 3, 1024, 1024), (1, 3, 1024, 1024), (1, 3, 1024, 1024))
MANIFEST = Manifest(
    engine_sha256="0" * 64,
    engine_bytes=7,
    flavor="tensorrt",
    version="10.3.0.26",
    precision="fp16",
    contract=CONTRACT,
    profiles=(FRAMES, TILES),
    runs_on=RunsOn(("8.7",), platform="linux-aarch64"),
    built_on=BuiltOn("Orin", "8.7", "12.6"),
    options={"workspace_bytes": None},
    layers={"float16": 3},
    onnx_file="x.onnx",
    onnx_sha256="1" * 64,
    checkpoint_sha256="2" * 64,
    drs_export_version="0",
    command="drs-export trt x.onnx -o x.engine",
)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "x.engine"
    path.write_bytes(b"engine!")
    made = replace(MANIFEST, engine_sha256=sha256_of(path))
    manifest_path(path).write_text(made.to_json())
    return path


def edit(engine: Path, **values: object) -> None:
    path = manifest_path(engine)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_it_reads_back_as_written(engine: Path) -> None:
    assert manifest_of(engine) == replace(MANIFEST, engine_sha256=sha256_of(engine))


def test_engines_are_known_by_their_ending_or_their_manifest(engine: Path, tmp_path: Path) -> None:
    assert is_engine(engine) and is_engine(Path("a.plan"))
    assert not is_engine(Path("a.onnx")) and not is_engine(tmp_path / "checkpoint.pth")
    other = engine.rename(tmp_path / "renamed")
    assert not is_engine(other)
    manifest_path(engine).rename(manifest_path(other))
    assert is_engine(other)


def test_a_missing_manifest_is_refused(engine: Path) -> None:
    manifest_path(engine).unlink()
    with pytest.raises(EngineError, match=r"no manifest x\.engine\.json beside it"):
        manifest_of(engine)


def test_a_missing_engine_is_refused(engine: Path) -> None:
    engine.unlink()
    with pytest.raises(EngineError, match="No such file"):
        manifest_of(engine)


def test_a_truncated_engine_is_refused(engine: Path) -> None:
    engine.write_bytes(b"engine")
    with pytest.raises(EngineError, match="has 6 bytes, and .* says 7: cut short"):
        manifest_of(engine)


def test_an_engine_with_more_behind_it_is_refused(engine: Path) -> None:
    engine.write_bytes(engine.read_bytes() + b"more")
    with pytest.raises(EngineError, match="has 11 bytes, and x.engine.json says 7"):
        manifest_of(engine)


def test_every_digit_of_the_hash_counts(engine: Path) -> None:
    found = sha256_of(engine)
    edit(engine, engine_sha256=found[:-1] + ("0" if found[-1] != "0" else "1"))
    with pytest.raises(EngineError, match="damaged, or another engine"):
        manifest_of(engine)


def test_a_flipped_byte_is_refused(engine: Path) -> None:
    engine.write_bytes(b"engine?")
    with pytest.raises(EngineError, match="has SHA-256 .* says .*: damaged, or another engine"):
        manifest_of(engine)


@pytest.mark.parametrize(
    "values",
    [
        {"format": 2},
        {"flavor": "tensorrt_rtl"},
        {"profiles": []},
        {"profiles": [{"min": [1, 2], "opt": [1], "max": "x"}]},
        {"runs_on": {"compute_capabilities": []}},
        {"runs_on": None},
        {"runs_on": {"compute_capabilities": ["eight"]}},
        {"version": "ten"},
        {"engine_sha256": "short"},
        {"engine_bytes": "7"},
        {"built_on": {"gpu": "x", "moon": 1}},
        {"profiles": [{k: [-1, 3, 8, 8] for k in ("min", "opt", "max")}]},
        {"profiles": [{"min": [0, 3, 8, 8], "opt": [1, 3, 8, 8], "max": [1, 3, 8, 8]}]},
        {"profiles": [{k: [1, 5, 8, 8] for k in ("min", "opt", "max")}]},
        {"profiles": [{k: [1.5, 3, 8, 8] for k in ("min", "opt", "max")}]},
        {"profiles": [{k: [float("inf"), 3, 8, 8] for k in ("min", "opt", "max")}]},
        {"profiles": [{"min": [9, 3, 8, 8], "opt": [1, 3, 8, 8], "max": [1, 3, 8, 8]}]},
        {"flavor": "tensorrt_lean"},
        {"precision": "fp3"},
        {"precision": [1]},
        {"runs_on": {"compute_capabilities": ["8.9"], "newer": "no"}},
        {"runs_on": {"compute_capabilities": ["8.9"], "platform": 5}},
        {"built_on": {"gpu": [5]}},
        {"format": True},
        {"engine_bytes": True},
        {"engine_sha256": "0x" + "0" * 62},
        {"layers": [1, 2]},
        {"options": None},
        {"calibration": "x"},
        {"validation": "x"},
        {"onnx_file": "/etc/passwd"},
        {"onnx_file": ""},
        {"onnx_file": 5},
        {"command": {}},
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(engine: Path, values: dict[str, object]) -> None:
    edit(engine, **values)
    with pytest.raises(EngineError, match="x.engine.json") as caught:
        manifest_of(engine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 1}'])
def test_broken_json_is_refused(engine: Path, text: str) -> None:
    manifest_path(engine).write_text(text)
    with pytest.raises(EngineError):
        manifest_of(engine)


def test_fields_of_later_versions_are_passed_over(engine: Path) -> None:
    edit(engine, colour="blue")
    assert manifest_of(engine).precision == "fp16"


def test_another_version_is_refused_with_both_named() -> None:
    MANIFEST.check_version("10.3.0.26", ENGINE)
    with pytest.raises(EngineError, match=r"by TensorRT 10\.3\.0\.26, and here is 10\.4\.0\.26"):
        MANIFEST.check_version("10.4.0.26", ENGINE)


def test_versions_are_the_same_with_and_without_a_build_number() -> None:
    """TensorRT's wheels of 10.4 to 10.7 say three numbers, some of them ".post1" behind."""
    for version in ("10.3.0", "10.3.0.post1", "10.3.0.26"):
        MANIFEST.check_version(version, ENGINE)
    replace(MANIFEST, version="10.7.0.post1").check_version("10.7.0", ENGINE)
    with pytest.raises(EngineError):
        MANIFEST.check_version("10.3.1", ENGINE)


def test_a_pre_release_is_a_version_of_its_own() -> None:
    candidate = replace(MANIFEST, version="11.0.0rc1")
    candidate.check_version("11.0.0rc1", ENGINE)
    for manifest, version in ((candidate, "11.0.0"), (MANIFEST, "10.3.0.26.dev3")):
        with pytest.raises(EngineError, match=f"and here is {version}"):
            manifest.check_version(version, ENGINE)


@pytest.mark.parametrize(
    ("version", "fine"),
    [("10.3.0.27", True), ("10.3.0.20", True), ("10.16.1.11", True), ("11.4.1.2", True),
     ("12.0.0.1", False), ("10.2.0.1", False), ("9.9.0.0", False)],
)  # fmt: skip
def test_a_version_compatible_engine_runs_forward_to_the_next_major(
    version: str, fine: bool
) -> None:
    manifest = replace(MANIFEST, runs_on=RunsOn(("8.7",), version_compatible=True))
    if fine:
        manifest.check_version(version, ENGINE)
    else:
        with pytest.raises(EngineError, match=f"and here is {version}"):
            manifest.check_version(version, ENGINE)


def test_another_gpu_is_refused_with_both_named() -> None:
    MANIFEST.check_gpu("Orin", "8.7", ENGINE)
    with pytest.raises(EngineError, match=r"capability 8\.7, and here is NVIDIA H100 with 9\.0"):
        MANIFEST.check_gpu("NVIDIA H100", "9.0", ENGINE)
    with pytest.raises(EngineError, match="here is an RTX GPU with 8.9"):  # of the same major
        MANIFEST.check_gpu("an RTX GPU", "8.9", ENGINE)


def test_newer_gpus_are_fine_where_the_engine_says_so() -> None:
    manifest = replace(MANIFEST, runs_on=RunsOn(("8.0", "8.9"), newer=True))
    for capability in ("8.0", "8.6", "12.0"):  # 12.0 is newer than 8.9, not less than it
        manifest.check_gpu("a GPU", capability, ENGINE)
    with pytest.raises(EngineError, match=r"8\.0, 8\.9 and newer, and here is Turing with 7\.5"):
        manifest.check_gpu("Turing", "7.5", ENGINE)


def test_another_platform_is_refused() -> None:
    MANIFEST.check_platform("linux-aarch64", ENGINE)
    with pytest.raises(EngineError, match="on linux-aarch64, and here is linux-x86_64"):
        MANIFEST.check_platform("linux-x86_64", ENGINE)


def test_the_first_profile_that_takes_a_shape_is_chosen() -> None:
    assert MANIFEST.check_profile((2, 3, 512, 1024), ENGINE) == 0
    assert MANIFEST.check_profile((1, 3, 1024, 1024), ENGINE) == 1
    with pytest.raises(ShapeError, match="1x3x56x64 .*1x3x64x64 to 2x3x512x1024 or 1x3x1024x1024"):
        MANIFEST.check_profile((1, 3, 56, 64), ENGINE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"precision": "fp3"}, "precision 'fp3' .* expected fp32 or fp16 or bf16 or int8 or fp8;"),
        ({"flavor": "tensorrt_rtl"}, "flavor 'tensorrt_rtl' .* expected tensorrt or tensorrt_rtx;"),
        ({"engine_bytes": "7"}, "engine_bytes '7' .* expected a whole number above 0;"),
        ({"onnx_sha256": "1\n2"}, r"onnx_sha256 '1\\n2' .* expected 64 hexadecimal digits;"),
        ({"onnx_file": "../x.onnx"}, "onnx_file .* expected the name of a file, without a folder;"),
        ({"built_on": {"cuda": 13}}, "built_on.cuda 13 .* expected text or null;"),
        ({"profiles": [{k: [1, 5, 8, 8] for k in ("min", "opt", "max")}]}, "and 3 channels;"),
    ],
)
def test_a_refusal_says_what_was_expected(
    engine: Path, values: dict[str, object], message: str
) -> None:
    edit(engine, **values)
    with pytest.raises(EngineError, match=message) as caught:
        manifest_of(engine)
    assert "is not a valid value: expected" in str(caught.value)
