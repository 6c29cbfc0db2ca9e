"""Both published variants, at full size, from a checkpoint file to a derained image."""

import time

import numpy as np
import psutil
import pytest
import torch

from drsformer.errors import ProviderError
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint, validate_file
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.runtime import Derainer


@pytest.mark.slow
@pytest.mark.parametrize("case", ["paper_mefc", "paper_plain"])
def test_a_full_size_checkpoint_exports_validates_and_runs(
    goldens, tmp_path, case, record_property
):
    checkpoint = tmp_path / "full.pth"
    torch.save({"params": goldens[case].state}, checkpoint)
    start = time.perf_counter()
    made = onnx_from_checkpoint(checkpoint, tmp_path / "full.onnx", ExportSettings())
    seconds, memory = time.perf_counter() - start, psutil.Process().memory_info().rss / 1e9
    record_property("export", f"{seconds:.1f} s, {made.nodes} nodes, {memory:.2f} GB resident")
    assert made.report.passed and made.nodes < 4500
    report = validate_file(made.path, checkpoint)
    assert report.passed and report.first_divergence is None
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    with Derainer(made.path) as derainer:
        assert derainer.derain(image).shape == image.shape


@pytest.mark.slow
def test_the_plain_form_of_a_full_size_network_exports(goldens, tmp_path):
    checkpoint = tmp_path / "full.pth"
    torch.save({"params": goldens["paper_plain"].state}, checkpoint)
    made = onnx_from_checkpoint(checkpoint, tmp_path / "p.onnx", ExportSettings(plain=True))
    assert made.report.passed


@pytest.mark.gpu
def test_cuda_gives_the_same_image(small_onnx):
    try:
        gpu = Derainer(small_onnx, provider="cuda")
    except ProviderError as error:
        pytest.skip(str(error))
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    with gpu, Derainer(small_onnx) as cpu:
        difference = np.abs(gpu.derain(image).astype(int) - cpu.derain(image).astype(int))
    assert difference.max() <= 1  # TF32 convolutions round at the 11th bit
