"""The smallest network with every part, for tests that run it dozens of times."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from drsformer.config import DRSformerConfig
from drsformer.export.onnx_from_model import ExportSettings, onnx_from_model
from drsformer.model import DRSformer

from ..fill_weights import fill

CONFIG = DRSformerConfig(
    dim=8, num_blocks=(1, 1, 1, 1), heads=(1, 1, 2, 2), hidden=(21, 42, 85, 170, 42), mefc=False
)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pth of 0.3 million parameters."""
    shapes = {key: tuple(value.shape) for key, value in DRSformer(CONFIG).state_dict().items()}
    path = tmp_path_factory.mktemp("tiny") / "tiny.pth"
    state = {key: torch.from_numpy(value) for key, value in fill(shapes).items()}
    torch.save({"params": state}, path)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    model = DRSformer(CONFIG).eval()
    model.load_state_dict(torch.load(tiny_checkpoint)["params"], strict=True)
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    onnx.save(onnx_from_model(model, ExportSettings(), {"checkpoint_sha256": "0" * 64}), path)
    return path
