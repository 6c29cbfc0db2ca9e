"""Both published variants, at full size, from a checkpoint file to a derained image."""

import time

import numpy as np
import onnx
import psutil
import pytest
import torch

from drsformer.calibration.crops import Sample
from drsformer.calibration.evaluate.evaluator import Evaluator
from drsformer.calibration.mixed_precision import LOW_DTYPES, fp16_from_fp32, mixed_precision_graph
from drsformer.calibration.photos import bundled_photo
from drsformer.errors import CalibrationError, ProviderError
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


@pytest.fixture(scope="module")
def full_onnx(goldens, tmp_path_factory):
    """The full network on the golden weights, exported."""
    folder = tmp_path_factory.mktemp("full")
    torch.save({"params": goldens["paper_mefc"].state}, folder / "full.pth")
    return onnx_from_checkpoint(folder / "full.pth", folder / "full.onnx", ExportSettings()).path


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width", "memory_gb"), [(64, 64, 4), (256, 256, 5),
                                                            (1080, 1920, 19)])  # fmt: skip
def test_float16_stays_finite_and_close_at_every_size(
    full_onnx, height, width, memory_gb, record_property
):
    if psutil.virtual_memory().available < memory_gb * 1e9:
        pytest.skip(f"needs {memory_gb} GB of free memory")
    photo = np.tile(bundled_photo("coffee"), (3, 4, 1))[:height, :width]
    proto = onnx.load(full_onnx)
    evaluator = Evaluator(proto, [Sample("coffee", photo)])
    (quality,) = evaluator.evaluate(fp16_from_fp32(proto))  # NaN and Inf are errors
    record_property(
        "fp16",
        f"{quality.psnr_db:.1f} dB, {quality.fp32_top_k_psnr_db:.1f} dB with fp32 top-k, "
        f"{100 * quality.mismatch_rate:.3f} % top-k mismatch",
    )
    assert quality.fp32_top_k_psnr_db >= 65
    if height == 256:
        with pytest.raises(CalibrationError, match="NaN or Inf"):
            evaluator.evaluate(mixed_precision_graph(proto, LOW_DTYPES["fp16"], []))


@pytest.mark.slow
def test_float16_stays_finite_on_flat_saturated_and_narrow_images(full_onnx):
    proto = onnx.load(full_onnx)
    noise = np.random.default_rng(0).integers(0, 2, (64, 64, 3), np.uint8) * np.uint8(255)
    images = {
        "zeros": np.zeros((64, 64, 3), np.uint8),
        "ones": np.full((64, 64, 3), 255, np.uint8),
        "saturated noise": noise,
        "four pixels high": noise[:4],
    }
    evaluator = Evaluator(proto, [Sample(name, image) for name, image in images.items()])
    made = fp16_from_fp32(proto)
    assert len(evaluator.evaluate(made, with_fp32_top_k=False)) == 4  # NaN and Inf are errors
