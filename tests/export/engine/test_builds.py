"""Real builds by TensorRT-RTX, which needs no GPU for them: every precision, fixed and dynamic,
float and uint8; and what is refused, with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from drsformer.calibration.crops import Crops
from drsformer.calibration.evaluate.engine_on_gpu import marked
from drsformer.calibration.evaluate.engine_validation import validate_engine
from drsformer.calibration.mixed_precision import bf16_from_fp32, fp16_from_fp32
from drsformer.calibration.precision_rules import kept_parts
from drsformer.calibration.quantize import quantized_from_fp32
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.context import QUIET, Context
from drsformer.contract import CONTRACTS
from drsformer.engine.libraries import LIBRARIES
from drsformer.engine.manifest import manifest_of
from drsformer.errors import EngineError
from drsformer.export.engine import build as build_module
from drsformer.export.engine.audit import audited
from drsformer.export.engine.build import engine_from_network
from drsformer.export.engine.engine_from_onnx import (
    BuildRequest,
    BuiltEngine,
    contract_of,
    engine_from_onnx,
)
from drsformer.export.engine.network import network_from_onnx
from drsformer.export.engine.settings import EngineSettings
from drsformer.export.engine.shapes import profiles_from_text
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.export.uint8_io import with_uint8_io
from drsformer.files import sha256_of

rtx = pytest.importorskip("tensorrt_rtx", reason="the extra [rtx] is not installed")
RTX = LIBRARIES["tensorrt_rtx"]
DYNAMIC = "32x32:32x64:64x64"
FIXED = "32x48"


def typed_forms(path: Path) -> dict[str, onnx.ModelProto]:
    proto = onnx.load(path)
    rng = np.random.default_rng(0)
    crops = Crops("noise", tuple(rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(4)))
    return {
        "fp32": proto,
        "fp16": fp16_from_fp32(proto),
        "bf16": bf16_from_fp32(proto),
        "int8": quantized_from_fp32(proto, scales_from_images(path, crops)),
    }


@pytest.fixture(scope="module")
def files(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By name: the model in every precision, two of them with uint8 input and output."""
    folder = tmp_path_factory.mktemp("typed")
    made = {}
    for name, proto in typed_forms(tiny_onnx).items():
        kept = with_uint8_io(proto) if name in ("fp16", "int8") else proto
        made[name] = folder / f"{name}.onnx"
        onnx.save(kept, made[name])
    return made


def build(
    source: Path, output: Path, settings: EngineSettings, context: Context = QUIET
) -> BuiltEngine:
    kept = kept_parts(onnx.load(source))
    return engine_from_onnx(BuildRequest(source, output, settings, kept, "drs-export trt"), context)


def settings_for(
    source: Path, *shapes: str, gpus: tuple[str, ...] = ("8.9",), batch: str = "1", **more: Any
) -> EngineSettings:
    contract = contract_of(onnx.load(source), source)
    profiles = profiles_from_text(shapes, batch, contract, (None,) * 4)
    return EngineSettings(RTX, profiles, gpus, **more)


@pytest.mark.parametrize(
    ("precision", "shapes"),
    [("fp32", (DYNAMIC,)), ("fp16", (FIXED,)), ("bf16", (FIXED,)), ("int8", (DYNAMIC, FIXED))],
)
def test_an_engine_says_what_it_is(
    files: dict[str, Path], tmp_path: Path, precision: str, shapes: tuple[str, ...]
) -> None:
    source, output = files[precision], tmp_path / "x.engine"
    phases: list[str] = []
    counts: list[tuple[int, int]] = []
    context = Context(phases.append, lambda done, total: counts.append((done, total)))
    made = build(source, output, settings_for(source, *shapes), context)
    manifest = manifest_of(output)
    assert manifest == made.manifest and output.stat().st_size > 1_000_000
    assert (manifest.flavor, manifest.version) == ("tensorrt_rtx", rtx.__version__)
    assert manifest.precision == precision and manifest.onnx_sha256 == sha256_of(source)
    io = "uint8" if precision in ("fp16", "int8") else "float32"
    assert manifest.contract == CONTRACTS[io] and len(manifest.profiles) == len(shapes)
    assert manifest.runs_on.compute_capabilities == ("8.9",) and manifest.built_on.gpu is None
    lowest = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}[precision]
    assert manifest.layers[lowest] > 10
    assert phases[0] == "reading the network" and "Building engine" in phases
    assert counts and all(0 <= done <= total for done, total in counts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.engine", "x.engine.json"]


def test_without_a_gpu_everything_else_is_validated(
    files: dict[str, Path], tmp_path: Path, drs: Any
) -> None:
    source = tmp_path / "m.onnx"
    source.write_bytes(files["bf16"].read_bytes())
    engine = tmp_path / "m.engine"
    build(source, engine, settings_for(source, FIXED))
    checks = {check.what: check.outcome for check in validate_engine(engine).checks}
    assert [checks[name] for name in ("engine file", "ONNX file", "types of the layers")] == [
        "ok"
    ] * 3
    code, out, err = drs("validate", engine, "-v", "--json", tmp_path / "report.json")
    assert code == 0, err
    assert "types of the layers" in out and out.splitlines()[0].startswith(f"{engine}: ")
    assert json.loads((tmp_path / "report.json").read_text())["passed"]
    if checks["GPU"] == "not done":
        assert "nothing differs, but not done here: GPU, outputs against ONNX Runtime" in out
    code, out, _ = drs("inspect", engine)
    assert code == 0 and "TensorRT-RTX 1." in out and "8.9" in out
    source.write_bytes(files["fp16"].read_bytes())
    code, out, err = drs("validate", engine)
    assert code == 1 and "is not what it should be: ONNX file" in err
    assert "is not the file it was built from" in " ".join(out.split())  # shown without -v too
    source.unlink()
    code, out, _ = drs("validate", engine)
    assert code == 0 and "not done here: ONNX file" in out


def test_marked_networks_parse_too(files: dict[str, Path]) -> None:
    for name in ("fp16", "int8", "bf16"):
        proto = onnx.load(files[name])
        model = marked(proto)
        assert len(model.graph.output) > 10
        assert network_from_onnx(rtx, model).network.num_outputs == len(model.graph.output)


def test_a_file_that_is_not_typed_as_it_says_is_refused(
    files: dict[str, Path], tmp_path: Path
) -> None:
    for metadata, source in (("fp16", "fp32"), ("int8", "fp16"), ("fp16", "int8")):
        proto = onnx.load(files[source])
        values = {prop.key: prop.value for prop in proto.metadata_props}
        del proto.metadata_props[:]
        onnx.helper.set_model_props(proto, values | {"precision": metadata})
        with pytest.raises(EngineError, match=f"(though|for) {metadata}"):
            audited(network_from_onnx(rtx, proto).network, proto, kept_parts(proto))


def test_one_layer_that_came_out_in_float32_is_named(files: dict[str, Path]) -> None:
    proto = onnx.load(files["bf16"])
    node = next(n for n in proto.graph.node if n.name == "patch_embed")
    float32 = onnx.TensorProto.FLOAT
    for i, name in enumerate(list(node.input)):
        node.input[i] = f"{name}.wide"
        cast = onnx.helper.make_node("Cast", [name], [f"{name}.wide"], to=float32)
        proto.graph.node.insert(0, cast)
    first = [n for n in proto.graph.node if n.op_type == "Cast" and n.name]
    for cast in first:  # the casts come behind what they read
        if cast.output[0] + ".wide" in node.input:
            proto.graph.node.remove(cast)
            proto.graph.node.insert(0, cast)
    out = node.output[0]
    node.output[0] = f"{out}.wide"
    at = list(proto.graph.node).index(node) + 1
    back = onnx.helper.make_node("Cast", [f"{out}.wide"], [out], to=onnx.TensorProto.BFLOAT16)
    proto.graph.node.insert(at, back)
    with pytest.raises(EngineError, match="1 layers came out in float32 .* is patch_embed"):
        audited(network_from_onnx(rtx, proto).network, proto, kept_parts(proto))


def test_too_small_a_workspace_is_said_and_nothing_is_left(
    files: dict[str, Path], tmp_path: Path
) -> None:
    source = files["fp16"]
    settings = settings_for(source, "512x512", workspace_bytes=1000)
    with pytest.raises(EngineError, match=r"allow more --workspace \(it was 0.000954 MiB\)"):
        build(source, tmp_path / "x.engine", settings)
    assert list(tmp_path.iterdir()) == []


def test_what_the_builder_raises_reaches_the_user(files: dict[str, Path]) -> None:
    """It raises in a thread of its own."""
    parsed = network_from_onnx(rtx, onnx.load(files["fp32"]))

    class Raising:
        def __getattr__(self, name: str) -> Any:
            return getattr(parsed.builder, name)

        def build_serialized_network(self, network: Any, config: Any) -> Any:
            raise MemoryError("no room")

    with pytest.raises(EngineError, match="could not be built: MemoryError: no room"):
        engine_from_network(replace(parsed, builder=Raising()), settings_for(files["fp32"], FIXED))


def test_the_builders_thread_sits_on_the_device(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[tuple[int, int]] = []
    monkeypatch.setattr(build_module, "use_device", lambda n: used.append((n, get_ident())))
    parsed = network_from_onnx(rtx, onnx.load(files["fp32"]))
    engine_from_network(parsed, settings_for(files["fp32"], FIXED, device=3))
    ((device, thread),) = used
    assert device == 3 and thread != get_ident()


def test_what_needs_a_gpu_to_build_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    if rtx_has_gpu():
        pytest.skip("there is a GPU")
    source = files["fp32"]
    settings = settings_for(source, FIXED, strip_weights=True)
    with pytest.raises(EngineError, match="can be built on a GPU only"):
        build(source, tmp_path / "x.engine", settings)
    assert list(tmp_path.iterdir()) == []


def rtx_has_gpu() -> bool:
    from drsformer.engine.gpu import gpu_here
    from drsformer.errors import ProviderError

    try:
        return bool(gpu_here())
    except ProviderError:
        return False


def test_an_unknown_gpu_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    source = files["fp32"]
    with pytest.raises(EngineError, match="does not know SM90; .* SM89"):
        settings = settings_for(source, gpus=("9.0",))
        build(source, tmp_path / "x.engine", settings)


def test_an_unwritable_place_is_refused(files: dict[str, Path], tmp_path: Path, drs: Any) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = drs(
        "trt", files["fp32"], "--library", "rtx", "-o", tmp_path / "file" / "x.engine"
    )
    assert code == 1 and err.startswith("error: cannot write ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_build_leaves_nothing(
    goldens: Any, tmp_path: Path, number: signal.Signals
) -> None:
    source = tmp_path / "m.onnx"
    checkpoint = tmp_path / "m.pth"
    torch.save({"params": goldens["small_mefc"].state}, checkpoint)
    onnx_from_checkpoint(checkpoint, source, ExportSettings())
    before = sorted(path.name for path in tmp_path.iterdir())
    program = [sys.executable, "-c", "from drsformer.commands.main import main; main()"]
    process = subprocess.Popen(
        [*program, "trt", source, "--library", "rtx", "--gpu", "sm_89", "-o",
         tmp_path / "x.engine", "--shapes", "64x64"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not any(path.suffix == ".engine" for path in tmp_path.iterdir()):  # building has begun
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number, err
    assert b"Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.slow
def test_the_full_network_builds_in_every_precision(
    goldens: Any, tmp_path: Path, record_property: Any
) -> None:
    """FP16 takes at most 0.65 of FP32's bytes, and INT8 less than FP16."""
    checkpoint, path = tmp_path / "full.pth", tmp_path / "full.onnx"
    torch.save({"params": goldens["paper_mefc"].state}, checkpoint)
    onnx_from_checkpoint(checkpoint, path, ExportSettings())
    sizes = {}
    for precision, proto in typed_forms(path).items():
        source = tmp_path / f"{precision}.onnx"
        onnx.save(proto, source)
        for gpus in (("8.9",), ("8.6", "8.9", "12.0")):
            made = build(source, tmp_path / "x.engine", settings_for(source, gpus=gpus))
            sizes[precision, len(gpus)] = made.manifest.engine_bytes
        record_property(precision, json.dumps(made.manifest.layers))
    record_property("bytes", str(sizes))
    for count in (1, 3):
        assert sizes["fp16", count] <= 0.65 * sizes["fp32", count]
        assert sizes["int8", count] < sizes["fp16", count]
        assert sizes["bf16", count] <= 0.65 * sizes["fp32", count]
