"""What an installation gets."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    """Build the wheel with the build backend that is installed here, and list it."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_one_top_level_name(wheel_names):
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"drsformer"}


def test_the_wheel_holds_every_module_and_the_weights(wheel_names):
    for stage in ("export", "calibration", "runtime"):
        for path in (ROOT / stage).rglob("*.py"):
            assert f"drsformer/{path.relative_to(ROOT).as_posix()}" in wheel_names
    for path in (ROOT / "drsformer").rglob("*.py"):
        assert path.relative_to(ROOT).as_posix() in wheel_names
    assert {
        "drsformer/py.typed", "drsformer/weights/demo.safetensors", "drsformer/weights/demo.onnx",
        "drsformer/photos/coffee.png",
    } <= wheel_names  # fmt: skip


def test_the_shipped_model_is_todays_export(tmp_path):
    """If this fails: drs-export onnx demo.safetensors --runtime ort -o demo.onnx, in weights/."""
    weights = ROOT / "drsformer" / "weights"
    made = tmp_path / "demo.onnx"
    onnx_from_checkpoint(weights / "demo.safetensors", made, ExportSettings(runtime="ort"))
    shipped, today = (onnx.load(path) for path in (weights / "demo.onnx", made))
    for one, other in zip(shipped.graph.initializer, today.graph.initializer, strict=True):
        # folded weights may be rounded otherwise on another processor
        arrays = onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other)
        np.testing.assert_allclose(*arrays, rtol=1e-6, atol=1e-9)
    for model in (shipped, today):
        del model.graph.initializer[:]
    assert shipped == today


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, drsformer, drsformer.commands.main; "
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'cv2', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
