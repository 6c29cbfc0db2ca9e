"""What docs/json.md promises of `--json` is what the commands write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ..samples import noise

TEXT = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


def promised(section: str) -> set[str]:
    """Return the top-level keys that a section's first table names."""
    text = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert text, section
    rows = [line.split("|")[1] for line in text[1].splitlines() if line.startswith("| `")]
    keys = {key for row in rows for key in re.findall(r"`([^`]+)`", row)}
    return {re.split(r"[.\[]", key)[0] for key in keys}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders rainy/ and clean/ with four small pictures each."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("rainy", "clean"):
        (folder / name).mkdir()
        for i in range(4):
            cv2.imwrite(str(folder / name / f"{i}.png"), noise(40, 48 + i).astype(np.uint8))
    return folder


def result_of(drs: Any, *arguments: object) -> dict[str, Any]:
    """Run a command and return its JSON, which stdout holds alone."""
    code, out, err = drs(*arguments, "--json", "-")
    assert code == 0, err
    made: dict[str, Any] = json.loads(out)
    return made


def test_onnx_and_validate(drs: Any, tiny_checkpoint: Path, tmp_path: Path) -> None:
    made = result_of(drs, "onnx", tiny_checkpoint, "-o", tmp_path / "x.onnx")
    assert made.keys() == promised("onnx")
    assert made["validation"].keys() == promised("validate, ONNX file")
    again = result_of(drs, "validate", tmp_path / "x.onnx", "--checkpoint", tiny_checkpoint)
    assert again.keys() == promised("validate, ONNX file")


def test_inspect(drs: Any, tiny_onnx: Path) -> None:
    assert result_of(drs, "inspect", tiny_onnx).keys() <= promised("inspect")
    costs = result_of(drs, "inspect", tiny_onnx, "--cost", "--size", "64x64")
    assert costs.keys() == promised("inspect --cost")


def test_run_and_evaluate(drs: Any, tiny_onnx: Path, pictures: Path, tmp_path: Path) -> None:
    rainy, clean = pictures / "rainy", pictures / "clean"
    assert result_of(drs, "run", tiny_onnx, rainy, "-o", tmp_path).keys() == promised("run")
    made = result_of(drs, "evaluate", tiny_onnx, "--rainy", rainy, "--clean", clean)
    assert made.keys() == promised("evaluate")


def test_calibrate_and_convert(drs: Any, tiny_onnx: Path, pictures: Path, tmp_path: Path) -> None:
    crops = ("--images", pictures / "rainy", "--count", 4, "--crop", 32)
    made = result_of(drs, "calibrate", tiny_onnx, *crops, "-o", tmp_path / "x.json")
    assert made.keys() == promised("calibrate")
    images = ("--images", pictures / "rainy")
    made = result_of(drs, "convert", tiny_onnx, "--fp16", *images, "-o", tmp_path / "x.onnx")
    assert made.keys() == promised("convert")
    assert made["verdict"]["lines"][1]["quality"].keys() == promised("quality")


@pytest.mark.parametrize(
    "command", ["validate, engine", "sensitivity", "trt", "bench", "demo"]
)  # compared with the code by the tests of these commands
def test_every_command_has_a_section(command: str) -> None:
    assert promised(command)
