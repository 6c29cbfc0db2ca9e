"""`drs-export trt` as a user meets it: missing steps run first, what has no meaning is refused."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drsformer.contract import CONTRACT, CONTRACTS
from drsformer.engine.libraries import LIBRARIES, module_of
from drsformer.engine.manifest import manifest_of, manifest_path
from drsformer.errors import EngineError, ProviderError
from drsformer.export.engine.engine_from_onnx import check_output
from drsformer.export.engine.settings import compute_capabilities_from_text
from drsformer.export.engine.shapes import profiles_from_text
from drsformer.runtime import Derainer

from ..samples import write_overflowing

pytest.importorskip("tensorrt_rtx", reason="the extra [rtx] is not installed")
BUILD = ("--library", "rtx", "--gpu", "sm_89", "--shapes", "32x32")


def one_line(err: str) -> str:
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def engine(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float32 engine, built once; tests that change it take a copy."""
    from drsformer.export.engine.engine_from_onnx import BuildRequest, engine_from_onnx
    from drsformer.export.engine.settings import EngineSettings

    path = tmp_path_factory.mktemp("engine") / "tiny.engine"
    profiles = profiles_from_text(["32x32"], "1", CONTRACT, (None,) * 4)
    settings = EngineSettings(LIBRARIES["tensorrt_rtx"], profiles, ("8.9",))
    return engine_from_onnx(BuildRequest(tiny_onnx, path, settings, kept={})).path


@pytest.fixture
def copy(engine: Path, tmp_path: Path) -> Path:
    made = tmp_path / "tiny.engine"
    made.write_bytes(engine.read_bytes())
    manifest_path(made).write_bytes(manifest_path(engine).read_bytes())
    return made


def test_a_checkpoint_becomes_an_engine_in_one_go(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    output = tmp_path / "a.engine"
    code, out, err = drs("trt", tiny_checkpoint, "--fp16", "--io", "uint8", "-o", output, *BUILD)
    assert code == 0, err
    assert "agrees with the checkpoint" in err and " fp32 on 3 images" in err and "fp16" in out
    assert re.search(r"a\.engine: [\d.]+ MB, fp16, 1x32x32x3, TensorRT-RTX 1\.", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.engine", "a.engine.json", "a.fp16.onnx", "a.fp16.precision.json", "a.onnx",
        "a.validation.json",
    ]  # fmt: skip
    manifest = manifest_of(output)
    assert manifest.precision == "fp16" and manifest.contract == CONTRACTS["uint8"]
    assert manifest.onnx_file == "a.fp16.onnx" and len(manifest.checkpoint_sha256) == 64
    assert manifest.command.startswith("drs-export trt ")
    report = json.loads((tmp_path / "a.fp16.precision.json").read_text())
    speeds = [line["speed"] for line in report["verdict"]["lines"]]
    assert speeds == [{"onnxruntime": None, "openvino": None}] * 2  # timed only with --time


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "x"], "--gpu 'x': expected compute capabilities such as sm_86,sm_89"),
        (["--shapes", "10x10"], "10 must be a multiple of 8"),
        (["--shapes", "8x8:16x16"], "expected HEIGHTxWIDTH, MIN:OPT:MAX"),
        (["--shapes", "64x64:32x32:128x128"], "must ascend from MIN over OPT to MAX"),
        (["--shapes", "huge"], "or one of tile, 720p, 1080p, 4k"),
        (["--batch", "0"], "expected a number of images from 1 to 1024"),
        (["--version-compatible"], "--version-compatible is an option of TensorRT"),
        (["--hardware-compatible", "ampere+"], "--hardware-compatible is an option of TensorRT"),
        (["--int8", "--scales", "no.json"], "cannot read no.json"),
        (["--fp16", "--scales", "x.json"], "--scales is for --int8 and --fp8, not for --fp16"),
        (["--bf16", "--io", "float16"], "a bfloat16 model takes and gives float32 or uint8"),
        (["--io", "float16"], "has float32 input and output, and --io says float16"),
        (["--threads", "2"], "--threads would have no effect"),
        (["--time"], "--time would have no effect"),
        (["--scales", "x.json"], "--scales would have no effect"),
        (["--workspace", "nan"], "--workspace is nan GB"),
        (["--workspace", "1e300"], "--workspace is 1e+300 GB"),
        (["--workspace", "1e-300"], "expected more than 0"),
        (["--gpu", ""], "--gpu ''"),
        (["--shapes", "３２x３２"], "expected HEIGHTxWIDTH"),
        (["--shapes", "tile", "--shapes", "512x512"], "the same shapes are given twice"),
        (["--timing-cache", "c"], "--timing-cache is an option of TensorRT"),
        (["--strip-weights"], "can be built on a GPU only"),
        (["-o", "a" * 252 + ".engine"], "File name too long"),
        (["-o", "x.onnx"], "x.onnx is named as another kind of file"),
        (["--emit-script", "s.sh"], "--emit-script is for TensorRT's trtexec"),
    ],
)
def test_options_without_a_meaning_are_refused(
    drs: Any, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, _, err = drs("trt", tiny_onnx, "-o", "x.engine", "--library", "rtx", *arguments)
    assert code == 1 and message in one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_the_engine_needs_a_name(drs: Any, tiny_onnx: Path) -> None:
    code, _, err = drs("trt", tiny_onnx, "-o", "")
    assert code == 2 and "it is empty" in one_line(err)
    with pytest.raises(EngineError, match="the engine needs a name"):
        check_output(Path(""))


def test_two_precisions_at_once_are_refused(drs: Any, tiny_onnx: Path, tmp_path: Path) -> None:
    for command in ("trt", "convert"):
        code, _, err = drs(command, tiny_onnx, "--fp16", "--int8", "-o", tmp_path / "x")
        assert code == 2 and "give one of --fp16 and --int8" in one_line(err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "m.bin"],
        ["-o", "link"],
        ["--emit-script", "m.bin", "-o", "x.engine"],
        ["--emit-script", "x.engine", "-o", "x.engine"],
        ["--emit-script", "x.engine.json", "-o", "x.engine"],
        ["--json", "x.engine", "-o", "x.engine"],
        ["--json", "m.bin", "-o", "x.engine"],
    ],
)
def test_nothing_is_written_over_an_input_or_another_output(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "m.bin"
    source.write_bytes(tiny_checkpoint.read_bytes())
    (tmp_path / "link").symlink_to(source)
    library = "tensorrt" if "--emit-script" in arguments else "rtx"
    code, _, err = drs("trt", source, "--library", library, *arguments)
    assert code == 1 and "over an input or another output" in one_line(err)
    assert source.read_bytes() == tiny_checkpoint.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_named_as_the_manifest_stays(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    source = tmp_path / "m.engine.json"
    source.write_bytes(tiny_checkpoint.read_bytes())
    code, _, err = drs("trt", source, "--library", "rtx", "-o", tmp_path / "m.engine")
    assert code == 1 and "over an input" in one_line(err)


def test_a_pipe_is_not_replaced(drs: Any, tiny_onnx: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "p.engine"
    os.mkfifo(pipe)
    code, _, err = drs("trt", tiny_onnx, "-o", pipe, *BUILD)
    assert code == 1 and "is a device or a pipe" in one_line(err)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_engine_is_no_input(drs: Any, copy: Path, tmp_path: Path) -> None:
    code, _, err = drs("trt", copy, "-o", tmp_path / "y.engine", *BUILD)
    assert code == 1 and "is an engine already" in one_line(err)


def test_a_report_does_not_replace_what_it_is_about(drs: Any, copy: Path) -> None:
    code, _, err = drs("validate", copy, "--json", manifest_path(copy))
    assert code == 1 and "inputs are never overwritten" in one_line(err)
    assert manifest_of(copy)


@pytest.mark.parametrize("command", ["inspect", "validate"])
def test_an_empty_name_is_one_line(drs: Any, command: str) -> None:
    code, _, err = drs(command, "", *(["--checkpoint", "x"] if command == "validate" else []))
    assert code in (1, 2) and err.startswith("error: ") and err.count("\n") == 1


def test_metadata_that_cannot_be_read_is_found_before_the_build(
    drs: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    import onnx

    path = tmp_path / "m.onnx"
    for values, message in (
        ({"calibration": "{broken"}, "what it says of its calibration cannot be read"),
        ({"precision": "fp7"}, "says that it is in 'fp7'"),
    ):
        proto = onnx.load(tiny_onnx)
        known = {prop.key: prop.value for prop in proto.metadata_props}
        onnx.helper.set_model_props(proto, known | values)
        onnx.save(proto, path)
        code, _, err = drs("trt", path, "-o", tmp_path / "x.engine", *BUILD)
        assert code == 1 and message in one_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_another_graph_with_our_contract_is_refused(
    drs: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    proto = helper.make_model(graph)
    ours = {prop.key: prop.value for prop in onnx.load(tiny_onnx).metadata_props}
    onnx.helper.set_model_props(proto, ours)
    onnx.save(proto, tmp_path / "m.onnx")
    code, _, err = drs("trt", tmp_path / "m.onnx", "-o", tmp_path / "x.engine", *BUILD)
    assert code == 1 and "where its contract says input and output, NCHW" in one_line(err)


def test_gpus_are_an_option_of_tensorrt_rtx(drs: Any, tiny_onnx: Path, tmp_path: Path) -> None:
    code, _, err = drs(
        "trt", tiny_onnx, "-o", tmp_path / "x.engine", "--library", "tensorrt", "--gpu", "sm_89"
    )
    assert code == 1 and "--gpu is an option of TensorRT-RTX" in one_line(err)


def test_a_converted_file_is_not_converted_again(drs: Any, tiny_onnx: Path, tmp_path: Path) -> None:
    import onnx

    from drsformer.calibration.mixed_precision import fp16_from_fp32

    path = tmp_path / "low.onnx"
    onnx.save(fp16_from_fp32(onnx.load(tiny_onnx)), path)
    output = tmp_path / "x.engine"
    code, _, err = drs("trt", path, "--bf16", "-o", output, *BUILD)
    assert code == 1 and "is in fp16 already; leave --bf16 out" in one_line(err)
    code, out, err = drs("trt", path, "--fp16", "-o", output, *BUILD, "-v", "--json", "-")
    assert code == 0, err  # it is in fp16 anyway
    assert manifest_of(output).onnx_file == "low.onnx"
    values = json.loads(out)
    assert values["manifest"] == json.loads(manifest_path(output).read_text())
    assert values["path"] == str(output) and values["audit"]["layers"]["float16"] > 10
    assert values["audit"]["float32_parts"]
    assert "compute capability 8.9; not run yet" in err and "float32 by rule" in err


def test_what_is_no_model_of_ours_is_refused(drs: Any, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [made])
    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph), path)
    code, _, err = drs("trt", path, "-o", tmp_path / "x.engine", *BUILD)
    assert code == 1 and "is not a model of drs-export" in one_line(err)
    code, _, err = drs("trt", tmp_path / "no.pth", "-o", tmp_path / "x.engine", *BUILD)
    assert code == 1 and "no.pth" in one_line(err)


def test_gpus_and_shapes_are_read_as_people_write_them() -> None:
    assert compute_capabilities_from_text("sm_86,SM89, 12.0,sm_120") == ("8.6", "8.9", "12.0")
    (profile,) = profiles_from_text(["64x64:tile:1080p"], "1:2:4", CONTRACT, (None,) * 4)
    assert (profile.min, profile.opt, profile.max) == (
        (1, 3, 64, 64), (2, 3, 512, 512), (4, 3, 1080, 1920),
    )  # fmt: skip
    (pixels,) = profiles_from_text([], "1", CONTRACTS["uint8"], (None,) * 4)
    assert pixels.max == (1, 512, 512, 3)
    with pytest.raises(EngineError, match="the model's H is fixed to 64"):
        profiles_from_text(["tile"], "1", CONTRACT, (None, 3, 64, None))


# what the runtime refuses


def test_an_engine_without_its_manifest_does_not_open(copy: Path) -> None:
    manifest_path(copy).unlink()
    with pytest.raises(EngineError, match=r"has no manifest tiny\.engine\.json beside it"):
        Derainer(copy)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "another's manifest"])
def test_a_damaged_engine_does_not_open(copy: Path, damage: str, drs: Any) -> None:
    content = bytearray(copy.read_bytes())
    if damage == "truncated":
        copy.write_bytes(content[:-1000])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        copy.write_bytes(content)
    else:
        values = json.loads(manifest_path(copy).read_text())
        manifest_path(copy).write_text(json.dumps(values | {"engine_sha256": "a" * 64}))
    with pytest.raises(EngineError, match="copy both files again"):
        Derainer(copy)
    code, _, err = drs("validate", copy)
    assert code == 1 and "copy both files again" in one_line(err)


def test_another_version_does_not_open(copy: Path) -> None:
    values = json.loads(manifest_path(copy).read_text())
    manifest_path(copy).write_text(json.dumps(values | {"version": "1.6.0.1"}))
    with pytest.raises(EngineError, match=r"by TensorRT-RTX 1\.6\.0\.1, and here is 1\."):
        Derainer(copy)


def test_another_library_is_refused(copy: Path) -> None:
    for provider, message in (
        ("tensorrt", "is an engine of TensorRT-RTX, and provider 'tensorrt' was asked for"),
        ("cpu", "is an engine, and provider 'cpu' runs ONNX files"),
    ):
        with pytest.raises((EngineError, ProviderError), match=message):
            Derainer(copy, provider=provider)


def test_engine_providers_do_not_run_onnx_files(tiny_onnx: Path) -> None:
    with pytest.raises(ProviderError, match="'tensorrt_rtx' runs engines, and .* is none"):
        Derainer(tiny_onnx, provider="tensorrt_rtx")


def test_a_library_that_is_missing_is_named_with_its_extra(copy: Path) -> None:
    try:
        module_of(LIBRARIES["tensorrt"])
        pytest.skip("TensorRT is installed")
    except ProviderError:
        pass
    values = json.loads(manifest_path(copy).read_text())
    manifest_path(copy).write_text(json.dumps(values | {"flavor": "tensorrt"}))
    with pytest.raises(ProviderError, match=r"needs TensorRT: .*install the extra trt: "):
        Derainer(copy)


def test_building_without_the_library_names_its_extra(
    drs: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    try:
        module_of(LIBRARIES["tensorrt"])
        pytest.skip("TensorRT is installed")
    except ProviderError:
        pass
    code, _, err = drs("trt", tiny_onnx, "-o", tmp_path / "x.engine", "--library", "tensorrt")
    assert code == 1 and "TensorRT is not installed; install the extra trt: " in one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_a_module_is_found_by_its_bindings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rtx = LIBRARIES["tensorrt_rtx"]
    version = module_of(rtx).__version__
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)  # now importing it fails
    assert module_of(rtx).__name__ == "tensorrt_rtx_bindings"
    assert module_of(rtx).__version__ == version


def test_without_a_gpu_it_is_said(copy: Path) -> None:
    from drsformer.engine.gpu import gpu_here

    try:
        gpu_here()
        pytest.skip("there is a GPU")
    except ProviderError as error:
        assert "no NVIDIA GPU can be used here" in str(error)
    with pytest.raises(ProviderError, match="no NVIDIA GPU can be used here"):
        Derainer(copy)


def test_without_evaluating_only_one_crop_is_run(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    output = tmp_path / "a.engine"
    code, _, err = drs("trt", tiny_checkpoint, "--fp16", "--no-evaluate", "-o", output, *BUILD)
    assert code == 0, err
    assert "dB PSNR against fp32 on 1 image" in err and "measuring with" not in err
    report = json.loads((tmp_path / "a.fp16.precision.json").read_text())["verdict"]
    quality = report["lines"][-1]["quality"]
    assert quality["psnr_db"] > 40 and quality["y_psnr_db"] is None
    assert quality["imposed_psnr_db"] is None


def test_without_evaluating_a_model_that_overflows_is_still_refused(
    drs: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    broken = write_overflowing(tiny_onnx, tmp_path / "broken.onnx")
    output = tmp_path / "a.engine"
    code, _, err = drs("trt", broken, "--fp16", "--no-evaluate", "-o", output, *BUILD)
    assert code == 1 and "NaN or Inf" in one_line(err) and not output.exists()


@pytest.mark.parametrize("option", ["--pairs", "--images"])
def test_images_to_measure_with_are_refused_where_nothing_is_measured(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path, option: str
) -> None:
    code, _, err = drs(
        "trt", tiny_checkpoint, "--fp16", "--no-evaluate", option, tmp_path,
        "-o", tmp_path / "a.engine", *BUILD,
    )  # fmt: skip
    assert code == 1 and f"{option} would have no effect with --no-evaluate" in one_line(err)


def test_no_evaluate_is_refused_where_nothing_is_converted(
    drs: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    code, _, err = drs("trt", tiny_onnx, "--no-evaluate", "-o", tmp_path / "a.engine", *BUILD)
    assert code == 1 and "--no-evaluate would have no effect" in one_line(err)


def test_a_device_asked_for_without_a_gpu_is_refused(
    drs: Any, tiny_onnx: Path, copy: Path, tmp_path: Path
) -> None:
    from drsformer.engine.gpu import gpu_here

    try:
        gpu_here()
        pytest.skip("there is a GPU")
    except ProviderError:
        pass
    source = tmp_path / "in.png"
    for arguments in (
        ("trt", tiny_onnx, "-o", tmp_path / "x.engine", *BUILD, "--device", "1"),
        ("validate", copy, "--device", "1"),
        ("run", copy, source, "-o", tmp_path / "out", "--device", "1"),
    ):
        code, _, err = drs(*arguments)
        assert code == 1 and "no NVIDIA GPU can be used here" in one_line(err)


def test_a_device_where_it_has_no_effect_is_refused(
    drs: Any, tiny_onnx: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    script = ("--emit-script", tmp_path / "build.sh", "-o", tmp_path / "x.engine")
    for arguments, expected in (
        (("trt", tiny_onnx, *script, "--device", "1"), 1),
        (("validate", tiny_onnx, "--checkpoint", tiny_checkpoint, "--device", "1"), 2),
        (("run", tiny_onnx, tiny_onnx, "-o", tmp_path, "--device", "1"), 1),
    ):
        code, _, err = drs(*arguments)
        assert code == expected and "device" in one_line(err)


# the script for devices that have only the SDK

TRTEXEC = """#!/bin/sh
case "$*" in
  --help) echo "  --stronglyTyped   Create a strongly typed network." ;;
  *) echo "$@" > "$0.arguments"
     for a in "$@"; do case $a in --saveEngine=*) printf engine > "${a#--saveEngine=}" ;; esac; done
     echo "&&&& RUNNING TensorRT.trtexec [TensorRT v100300] [b26] # trtexec"
     echo "[I] Selected Device: Orin"
     echo "[I] Compute Capability: 8.7" ;;
esac
"""


@pytest.fixture
def script(drs: Any, tiny_onnx: Path, tmp_path: Path) -> Path:
    source = tmp_path / "tiny model.onnx"
    source.write_bytes(tiny_onnx.read_bytes())
    path = tmp_path / "build.sh"
    code, out, err = drs(
        "trt", source, "-o", tmp_path / "x y's.engine", "--emit-script", path, "--shapes", "64x64",
        "--shapes", "64x64:tile:720p", "--workspace", "0.5", "--level", "4",
    )  # fmt: skip
    assert code == 0, err
    assert "copy it to the device with tiny model.onnx" in out
    return path


def run_script(script: Path, trtexec: str) -> subprocess.CompletedProcess[str]:
    stub = script.with_name("trtexec")
    stub.write_text(trtexec)
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {"TRTEXEC": str(stub)}
    return subprocess.run(["sh", script], env=environment, capture_output=True, text=True)


def test_the_script_calls_trtexec_and_writes_a_manifest(script: Path) -> None:
    done = run_script(script, TRTEXEC)
    assert done.returncode == 0, done.stderr
    arguments = script.with_name("trtexec.arguments").read_text()
    assert arguments.startswith("--stronglyTyped --onnx=./tiny model.onnx ")
    for expected in (
        "--skipInference", "--profile=1", "--minShapes=input:1x3x64x64",
        "--builderOptimizationLevel=4", "--maxShapes=input:1x3x720x1280",
        "--memPoolSize=workspace:500000000B",
    ):  # fmt: skip
        assert expected in arguments
    assert not re.search(r"--(fp16|int8|best|bf16)\b", arguments)
    manifest = manifest_of(script.with_name("x y's.engine"))
    assert (manifest.flavor, manifest.version) == ("tensorrt", "10.3.0.26")
    assert manifest.runs_on.compute_capabilities == ("8.7",)
    assert manifest.built_on.gpu == "Orin" and len(manifest.profiles) == 2


def test_the_script_says_nothing_of_typing_where_that_is_no_option(script: Path) -> None:
    newer = TRTEXEC.replace("  --stronglyTyped   Create a", "TensorRT v110401: create a")
    done = run_script(script, newer.replace("v100300", "v110401"))
    assert done.returncode == 0, done.stderr
    assert "stronglyTyped" not in script.with_name("trtexec.arguments").read_text()
    assert manifest_of(script.with_name("x y's.engine")).version == "11.4.1.26"


def test_a_failed_script_leaves_no_engine(script: Path) -> None:
    failing = TRTEXEC.replace('echo "&&&& RUNNING', 'echo "no tactic" ; exit 3 ; echo "')
    done = run_script(script, failing)
    assert done.returncode == 1 and "no tactic" in done.stderr
    assert not list(script.parent.glob("x y*"))
    script.with_name("tiny model.onnx").write_bytes(b"other")
    done = run_script(script, TRTEXEC)
    assert done.returncode == 1 and "is not the file that this script was made for" in done.stderr


def test_a_trtexec_that_says_nothing_is_an_error(script: Path) -> None:
    done = run_script(script, TRTEXEC.replace("TensorRT v100300", ""))
    assert done.returncode == 1 and "set TENSORRT_VERSION" in done.stderr
    assert not list(script.parent.glob("x y*"))
    done = run_script(script, TRTEXEC.replace("Compute Capability", ""))
    assert done.returncode == 1 and "set COMPUTE_CAPABILITY" in done.stderr


@pytest.mark.parametrize("name", ["-x.engine", "a $b `c`.engine", 'q".engine'])
def test_any_name_of_an_engine_can_be_scripted(
    drs: Any, tiny_onnx: Path, tmp_path: Path, name: str
) -> None:
    source, path = tmp_path / "m.onnx", tmp_path / "build.sh"
    source.write_bytes(tiny_onnx.read_bytes())
    code, _, err = drs("trt", source, "-o", tmp_path / name, "--emit-script", path)
    assert code == 0, err
    done = run_script(path, TRTEXEC.replace("Orin", "O|r'i & <x>"))
    assert done.returncode == 0, done.stderr
    assert manifest_of(tmp_path / name).built_on.gpu == "Ori  x"
    silent = TRTEXEC.replace("printf engine >", ": >")
    (tmp_path / name).unlink()
    manifest_path(tmp_path / name).unlink()
    done = run_script(path, silent)
    assert done.returncode == 1 and "wrote no engine" in done.stderr
    assert not (tmp_path / name).exists() and not manifest_path(tmp_path / name).exists()


def test_a_model_of_fixed_sizes_is_given_no_shapes(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    source, path = tmp_path / "fixed.onnx", tmp_path / "build.sh"
    fixed = ("--batch", 1, "--size", "64x64")
    assert drs("onnx", tiny_checkpoint, "-o", source, *fixed)[0] == 0
    output = tmp_path / "x.engine"
    code, _, err = drs(
        "trt", source, "-o", output, "--emit-script", path, "--shapes", "64x64"
    )  # fmt: skip
    assert code == 0, err
    assert "Shapes=" not in path.read_text()
