"""`drs-export onnx`, `validate` and `inspect` as a user meets them."""

import json
import signal
import subprocess
import sys

import pytest

from drsformer.commands.main import COMMANDS


def one_line(err):
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


def test_export_then_validate_then_inspect(drs, small_checkpoint, tmp_path):
    model = tmp_path / "model.onnx"
    code, out, _ = drs("onnx", small_checkpoint, "-o", model, "--size", "40x64")
    assert code == 0 and out.startswith(f"{model}: ") and "agrees with the checkpoint to" in out
    assert out.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.validation.json"]

    report = tmp_path / "report.json"
    code, out, _ = drs("validate", model, "--checkpoint", small_checkpoint, "-v", "--json", report)
    assert code == 0 and "decoder_level1" in out and json.loads(report.read_text())["passed"]

    code, out, _ = drs("inspect", model, "--json", "-")
    described = json.loads(out)
    assert code == 0 and described["network"]["variant"] == "DRSformer with MEFC"
    assert described["graph"]["inputs"] == {"input": "float batch x 3 x 40 x 64"}
    assert described["validation"]["passed"] and described["made by"]["form"] == "deployed"


def test_inspect_shows_a_checkpoint(drs, small_checkpoint):
    code, out, _ = drs("inspect", small_checkpoint)
    assert code == 0 and "1,129,306" in out and "params" in out


def test_onnx_tells_all_with_v_and_in_json(drs, small_checkpoint, tmp_path):
    model, json_file = tmp_path / "model.onnx", tmp_path / "result.json"
    code, out, _ = drs("onnx", small_checkpoint, "-o", model, "-v", "--json", json_file)
    assert code == 0 and "max error" in out and "in float64" in out
    result = json.loads(json_file.read_text())
    assert (result["path"], result["bytes"]) == (str(model), model.stat().st_size)
    assert result["nodes"] > 1000
    assert result["validation"] == json.loads((tmp_path / "model.validation.json").read_text())


def test_inspect_lists_the_node_types_with_v(drs, small_onnx):
    _, short, _ = drs("inspect", small_onnx)
    _, long, _ = drs("inspect", small_onnx, "-v")
    assert "node types" not in short and "node types" in long
    assert short.startswith(f"{small_onnx}: ONNX model of drs-export, ")


def test_inspect_counts_the_cost(drs, small_onnx):
    code, out, _ = drs("inspect", small_onnx, "--cost", "--size", "64x64")
    assert code == 0 and "encoder_level1" in out and "Conv 1x1" in out
    code, out, _ = drs("inspect", small_onnx, "--cost", "--json", "-", "--size", "64x64")
    parsed = json.loads(out)
    assert parsed["shape"] == [1, 3, 64, 64] and parsed["total"]["macs"] > 0


def test_inspect_says_when_a_file_is_not_ours(drs, tmp_path):
    import onnx

    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph(
        [node], "g", [value], [onnx.helper.make_tensor_value_info("y", 1, [1])]
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "other.onnx")
    code, out, _ = drs("inspect", tmp_path / "other.onnx")
    assert code == 0 and "not made by drs-export" in out


def test_validate_fails_with_one_line_for_another_model(drs, small_onnx, tmp_path, goldens):
    import torch

    other = tmp_path / "plain.pth"
    torch.save(goldens["small_plain"].state, other)
    code, out, err = drs("validate", small_onnx, "--checkpoint", other)
    assert code == 1 and "checkpoint" in one_line(err)


@pytest.mark.parametrize("command", ["onnx", "inspect"])
@pytest.mark.parametrize("content", [None, b"", b"no checkpoint"])
def test_a_bad_checkpoint_is_one_line(drs, tmp_path, command, content):
    path = tmp_path / "bad.pth"
    if content is not None:
        path.write_bytes(content)
    arguments = ["-o", tmp_path / "x.onnx"] if command == "onnx" else []
    code, out, err = drs(command, path, *arguments)
    assert code == 1 and "bad.pth" in one_line(err) and out == ""
    assert not (tmp_path / "x.onnx").exists()


def test_a_bad_size_is_one_line(drs, small_checkpoint, tmp_path):
    code, _, err = drs("onnx", small_checkpoint, "-o", tmp_path / "x.onnx", "--size", "64x30")
    assert code == 1 and "width 30 must be a multiple of 8" in one_line(err)


@pytest.mark.parametrize("text", ["64", "64x", "64x64x64", "0x64", "-8x64", "64X64", "axb", ""])
@pytest.mark.parametrize("command", ["onnx", "inspect"])
def test_what_is_no_size_is_wrong_usage(drs, tmp_path, command, text):
    code, _, err = drs(command, tmp_path / "x", "--size", text)
    assert code == 2 and "is not a size; expected HEIGHTxWIDTH in pixels" in one_line(err)


def test_every_command_has_a_summary_and_exists(drs):
    for command in COMMANDS:
        code, out, _ = drs(command, "--help")
        assert code == 0 and "Usage: drs-export" in out
        assert "Print the detail too." not in out  # the help of -v says which detail
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("key", ["contract", "config", "rewrites"])
@pytest.mark.parametrize("text", ["", "{", "3", "[" * 5000, '"[/bold]"', "null"])
def test_inspect_survives_any_metadata(drs, small_onnx, tmp_path, key, text):
    import onnx

    proto = onnx.load(small_onnx)
    next(p for p in proto.metadata_props if p.key == key).value = text
    onnx.save(proto, tmp_path / "odd.onnx")
    code, out, _ = drs("inspect", tmp_path / "odd.onnx")
    assert code == 0 and "graph" in out


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"model_sha256": 3}'])
def test_inspect_survives_a_broken_report(drs, small_onnx, tmp_path, text):
    (tmp_path / "m.onnx").write_bytes(small_onnx.read_bytes())
    (tmp_path / "m.validation.json").write_text(text)
    code, out, _ = drs("inspect", tmp_path / "m.onnx")
    assert code == 0 and "m.validation.json" in out


def test_the_checkpoint_is_never_overwritten(drs, small_checkpoint, tmp_path):
    path = tmp_path / "model.onnx"  # a checkpoint by content
    path.write_bytes(small_checkpoint.read_bytes())
    code, _, err = drs("onnx", path, "-o", path)
    assert code == 1 and "never overwritten" in one_line(err)
    assert path.read_bytes() == small_checkpoint.read_bytes()


def test_a_report_never_overwrites_the_model(drs, small_onnx, small_checkpoint, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(small_onnx.read_bytes())
    code, _, err = drs("validate", path, "--checkpoint", small_checkpoint, "--json", path)
    assert code == 1 and "never overwritten" in one_line(err)
    assert path.read_bytes() == small_onnx.read_bytes()


@pytest.mark.parametrize(
    "option",
    [("--batch", 10**13), ("--size", f"{10**8}x64"), ("--plain", "--size", "8192x8192")],
)
def test_sizes_that_no_machine_has_are_refused_at_once(drs, small_checkpoint, tmp_path, option):
    code, _, err = drs("onnx", small_checkpoint, "-o", tmp_path / "sub" / "x.onnx", *option)
    assert code == 1 and one_line(err) and not (tmp_path / "sub").exists()


def test_wrong_usage_is_one_line_and_code_2(drs):
    code, _, err = drs("onnx", "x.pth")
    assert code == 2 and "--output" in one_line(err)


INTERRUPTED = """
import os, sys
from drsformer.commands.main import main
from drsformer.export import onnx_from_checkpoint as module
number = int(sys.argv.pop(1))
module.check_against_pytorch = lambda *arguments, **options: os.kill(os.getpid(), number)
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_leave_nothing(small_checkpoint, tmp_path, number, code):
    """It runs in its own process: after OpenVINO's INT8, a signal would kill the tests' one."""
    output = tmp_path / "sub" / "x.onnx"
    command = [sys.executable, "-c", INTERRUPTED, str(int(number)), "onnx", str(small_checkpoint)]
    done = subprocess.run([*command, "-o", str(output)], capture_output=True, timeout=300)
    assert done.returncode == code and not output.parent.exists()


def test_a_file_that_cannot_be_read_is_named(drs, monkeypatch, small_onnx):
    """Not as an error of the terminal that the results go to."""
    from drsformer.commands import inspect

    def refuse(path):
        raise PermissionError(13, "Permission denied", "secret.json")

    monkeypatch.setattr(inspect, "describe", refuse)
    code, _, err = drs("inspect", small_onnx)
    assert code == 1 and one_line(err) == "error: secret.json: Permission denied\n"
