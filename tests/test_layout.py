"""The folders are the architecture."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("export", "calibration", "runtime")
# calibration lowers what export wrote and judges it by what runtime makes of it; no other edge
MAY_IMPORT = {"export": (), "runtime": (), "calibration": ("export", "runtime")}


def imports(path):
    """Yield the absolute module names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_each_other_in_one_direction_only(stage):
    others = tuple(f"drsformer.{other}" for other in STAGES if other not in MAY_IMPORT[stage])
    for path in (ROOT / stage).rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith(others)], path


def test_the_shared_package_imports_no_stage():
    stages = tuple(f"drsformer.{stage}" for stage in STAGES)
    for path in (ROOT / "drsformer").rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith(stages)], path


def test_the_runtime_needs_neither_torch_nor_onnx():
    for path in (ROOT / "runtime").rglob("*.py"):
        heads = {name.split(".")[0] for name in imports(path)}
        assert not heads & {"torch", "onnx", "onnx_ir", "safetensors", "polygraphy"}, path


def test_no_file_shadows_a_third_party_package():
    names = {path.stem for stage in STAGES for path in (ROOT / stage).rglob("*.py")}
    assert not names & {"onnx", "torch", "tensorrt", "onnxruntime", "numpy", "polygraphy"}
