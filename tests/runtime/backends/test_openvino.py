"""OpenVINO: the same contract and the same images as ONNX Runtime, and errors in our words."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from drsformer.contract import CONTRACT
from drsformer.errors import ModelError, ProviderError
from drsformer.runtime import Derainer, RunOptions
from drsformer.runtime.backends.openvino_backend import OpenVinoBackend
from drsformer.runtime.backends.shape_cache import SHAPES_KEPT

from ...samples import noise, write_model

openvino = pytest.importorskip("openvino", reason="the extra [openvino] is not installed")


@pytest.fixture(scope="module")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.mark.parametrize(("tile", "size"), [(None, (37, 53)), (24, (40, 64)), (None, (1, 1))])
def test_images_equal_those_of_onnx_runtime(
    small_onnx: Path, tile: int | None, size: tuple[int, int]
) -> None:
    image = noise(*size)
    with (
        Derainer(small_onnx, threads=1, tile=tile, overlap=8) as reference,
        Derainer(small_onnx, provider="openvino", threads=1, tile=tile, overlap=8) as derainer,
    ):
        assert (derainer.contract, derainer.provider) == (CONTRACT, "openvino")
        found, expected = derainer.derain(image), reference.derain(image)
    # the network's outputs differ in the seventh digit: a level may round the other way
    error = np.abs(found.astype(int) - expected)
    assert error.max() <= 1 and np.mean(error > 0) < 0.001


def test_fp32_means_float32(small_onnx: Path) -> None:
    """At least 90 dB from ONNX Runtime, on a CPU that would rather compute in bfloat16 too."""
    batch = np.random.default_rng(0).random((2, 3, 40, 56), np.float32)
    outputs = [
        Derainer(small_onnx, provider=provider)._opened().run(batch)
        for provider in ("cpu", "openvino")
    ]
    assert 10 * np.log10(1 / np.mean((outputs[0] - outputs[1]) ** 2)) > 90


def test_bf16_computes_otherwise_or_is_refused(small_onnx: Path) -> None:
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in capabilities:
        with pytest.raises(ProviderError, match="does not compute in bfloat16; use precision fp32"):
            Derainer(small_onnx, provider="openvino", precision="bf16")
        return
    exact = Derainer(small_onnx, provider="openvino")._opened().run(batch)
    rough = Derainer(small_onnx, provider="openvino", precision="bf16")._opened().run(batch)
    assert 25 < 10 * np.log10(1 / np.mean((exact - rough) ** 2)) < 90


def test_precision_is_refused_where_the_file_decides(tiny_onnx: Path) -> None:
    with pytest.raises(ProviderError, match="'cpu' computes in the precision that the file says"):
        Derainer(tiny_onnx, precision="bf16")
    with pytest.raises(ProviderError, match="precision is 'f16'; expected fp32 or bf16"):
        Derainer(tiny_onnx, provider="openvino", precision="f16")  # type: ignore[arg-type]


def test_without_the_package_the_error_names_the_extra(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ProviderError, match="install the extra openvino: "):
        Derainer(tiny_onnx, provider="openvino")


def test_few_shapes_are_kept_and_results_stay_right(tiny_onnx: Path) -> None:
    backend = OpenVinoBackend(tiny_onnx, RunOptions(threads=1))
    with Derainer(tiny_onnx, threads=1) as reference:
        for size in (8, 16, 24, 8, 16):
            batch = np.random.default_rng(size).random((1, 3, size, 8), np.float32)
            expected = reference._opened().run(batch)
            assert np.allclose(backend.run(batch), expected, atol=1e-6)
            assert len(backend._requests) <= SHAPES_KEPT


def test_results_are_not_overwritten_by_the_next_run(tiny_onnx: Path) -> None:
    backend = OpenVinoBackend(tiny_onnx, RunOptions(threads=1))
    batch = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    first = backend.run(batch)
    kept = first.copy()
    backend.run(1 - batch)
    assert np.array_equal(first, kept)


def test_several_threads_may_share_it(tiny_onnx: Path) -> None:
    images = [noise(8 * n, 16) for n in range(1, 5)] * 3
    with Derainer(tiny_onnx, provider="openvino", threads=1) as derainer:
        expected = [derainer.derain(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(derainer.derain, images))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_an_image_is_fitted_to_a_fixed_size(tmp_path: Path) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", (1, 3, 16, 24))
    with Derainer(fixed, provider="openvino", threads=1) as derainer:
        assert derainer.derain(noise(16, 24)).shape == (16, 24, 3)
        padded = np.pad(noise(16, 16), ((0, 0), (0, 8), (0, 0)), mode="reflect")
        expected = derainer.derain(padded)[:, :16]
        np.testing.assert_array_equal(derainer.derain(noise(16, 16)), expected)


def test_wrong_files_are_model_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="broken.onnx is not a usable ONNX model"):
        Derainer(broken, provider="openvino")
    foreign = write_model(tmp_path / "foreign.onnx", contract=None)
    with pytest.raises(ModelError, match="without our 'contract' metadata"):
        Derainer(foreign, provider="openvino")
