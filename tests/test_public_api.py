"""The public Python API: what the documented modules offer."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

PUBLIC = {
    "drsformer": {
        "AgreementError", "CalibrationError", "CheckpointError", "DRSformerError", "EngineError",
        "ExportError", "ImageError", "ModelError", "ProviderError", "ShapeError", "__version__",
    },
    "drsformer.runtime": {"Derainer", "RunOptions"},
    "drsformer.metrics": {"PEAK", "Plane", "luma", "psnr", "ssim", "y_psnr", "y_ssim"},
    "drsformer.contract": {
        "CHANNELS", "CONTRACT", "CONTRACTS", "IO", "METADATA_KEY", "Batch", "Contract", "Image",
        "Pixels", "SomeImage", "check_image", "contract_from_json", "cropped", "image_from_output",
        "input_from_image", "padded_size", "pixels_from_image", "shape_text",
    },
}  # fmt: skip
HEAVY = ("torch", "onnx", "onnxruntime", "openvino", "cv2", "numpy", "rich", "click", "tensorrt")


def public_definitions(module: ModuleType) -> set[str]:
    """Return the functions and classes that a reader of the module would take for public.

    A package's own are all that it imports from its modules.
    """
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(module.__name__)
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_a_module_lists_what_is_pinned_here(name: str) -> None:
    listed = importlib.import_module(name).__all__
    assert set(listed) == PUBLIC[name] and len(listed) == len(PUBLIC[name])


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_listed_exists(name: str) -> None:
    module = importlib.import_module(name)
    assert [one for one in module.__all__ if not hasattr(module, one)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_listed(name: str) -> None:
    module = importlib.import_module(name)
    assert public_definitions(module) - set(module.__all__) == set()


def test_every_error_is_public() -> None:
    errors = importlib.import_module("drsformer.errors")
    tree = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert tree == {name for name in PUBLIC["drsformer"] if name.endswith("Error")}


@pytest.mark.parametrize(
    ("module", "light"),
    [("drsformer", HEAVY), ("drsformer.runtime", [one for one in HEAVY if one != "numpy"])],
)
def test_importing_it_imports_nothing_heavy(module: str, light: list[str]) -> None:
    script = f"import sys, {module}; print(*sorted(set({list(light)}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
