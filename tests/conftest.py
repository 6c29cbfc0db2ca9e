"""Fixtures that many tests share: the golden cases, and files made from them."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from drsformer.commands.main import main
from drsformer.config import DRSformerConfig, config_from_state_dict
from drsformer.export.onnx_from_model import ExportSettings, onnx_from_model
from drsformer.model import DRSformer

from .fill_weights import fill

DATA = Path(__file__).parent / "data"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts jobs in the background with Ctrl-C ignored, and what they start inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # a worker for each core: more threads would wait for each other
CASES = ("small_mefc", "small_plain", "odd_heads", "bias_mefc", "paper_mefc", "paper_plain")
SMALL_CASES = CASES[:4]
# the smallest network with every part but the MEFC
TINY = DRSformerConfig(
    dim=8, num_blocks=(1, 1, 1, 1), heads=(1, 1, 2, 2), hidden=(21, 42, 85, 170, 42), mefc=False
)


@dataclass(frozen=True)
class Golden:
    """One reference case: its parameter table, weights, input and output."""

    name: str

    @cached_property
    def table(self) -> dict[str, tuple[int, ...]]:
        cases = json.loads((DATA / "state_dicts.json").read_text())
        return {name: tuple(shape) for name, shape in cases[self.name]["parameters"].items()}

    @cached_property
    def constructor(self) -> dict[str, Any]:
        return json.loads((DATA / "state_dicts.json").read_text())[self.name]["config"]

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in fill(self.table).items()}

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(DATA / f"{self.name}.npz") as arrays:
            return dict(arrays)

    def model(self) -> DRSformer:
        model = DRSformer(config_from_state_dict(self.state))
        model.load_state_dict(self.state, strict=True)
        return model.eval()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of golden data."""
    return DATA


@pytest.fixture(scope="session")
def goldens() -> dict[str, Golden]:
    """Every golden case by name."""
    return {name: Golden(name) for name in CASES}


@pytest.fixture(scope="session", params=SMALL_CASES)
def small_golden(request: pytest.FixtureRequest, goldens: dict[str, Golden]) -> Golden:
    """Each of the small golden cases."""
    return goldens[request.param]


@pytest.fixture(scope="session", params=CASES)
def golden(request: pytest.FixtureRequest, goldens: dict[str, Golden]) -> Golden:
    """Each of the golden cases, the full-size ones too."""
    return goldens[request.param]


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory: pytest.TempPathFactory, goldens: dict[str, Golden]) -> Path:
    """A .pth of small_mefc, laid out as the authors publish theirs."""
    path = tmp_path_factory.mktemp("checkpoint") / "small.pth"
    torch.save({"params": goldens["small_mefc"].state}, path)
    return path


@pytest.fixture(scope="session")
def small_onnx(tmp_path_factory: pytest.TempPathFactory, small_checkpoint: Path) -> Path:
    """small_mefc exported and validated."""
    from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint

    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    return onnx_from_checkpoint(small_checkpoint, path, ExportSettings()).path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pth of 0.3 million parameters."""
    shapes = {key: tuple(value.shape) for key, value in DRSformer(TINY).state_dict().items()}
    path = tmp_path_factory.mktemp("tiny") / "tiny.pth"
    state = {key: torch.from_numpy(value) for key, value in fill(shapes).items()}
    torch.save({"params": state}, path)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    model = DRSformer(TINY).eval()
    model.load_state_dict(torch.load(tiny_checkpoint)["params"], strict=True)
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    onnx.save(onnx_from_model(model, ExportSettings(), {"checkpoint_sha256": "0" * 64}), path)
    return path


@pytest.fixture
def drs(monkeypatch, capsys):
    """Run the command line in this process; return (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["drs-export", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return run


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
