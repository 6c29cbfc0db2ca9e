"""Magnitudes, clipping and scales files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.calibration import ranges
from drsformer.calibration.clipping import amax_of, shared_scale
from drsformer.calibration.quantize import FP8, INT8, quantized_values
from drsformer.calibration.ranges import BINS, Histogram, histograms
from drsformer.calibration.scales import Scales, TensorScale, check_belongs, scales_from_file
from drsformer.context import Context
from drsformer.errors import CalibrationError


def histogram(*images: np.ndarray) -> Histogram:
    made = Histogram()
    for image in images:
        made.add(np.asarray(image, np.float32))
    return made


def test_a_larger_image_later_widens_the_bins_and_loses_no_count() -> None:
    made = histogram(np.array([0.1, -1.0]), np.array([5.0, 0.2, -0.3]))
    assert made.largest == 5.0 and made.top == 8.0 and made.counts.sum() == 5
    assert made.counts[int(5.0 / 8.0 * BINS)] == 1
    assert made.counts[int(1.0 / 8.0 * BINS) - 1 : int(1.0 / 8.0 * BINS) + 1].sum() == 1


def test_a_large_tensor_is_counted_in_part_but_its_maximum_is_exact() -> None:
    values = np.zeros(ranges.COUNTED_AT_MOST * 3 + 1, np.float32)
    values[1] = -7.0
    made = histogram(values)
    assert made.largest == 7.0
    assert made.counts.sum() <= ranges.COUNTED_AT_MOST


def test_minmax_clips_nothing_and_percentile_the_rarest() -> None:
    values = np.concatenate([np.linspace(0, 1, 100_000), [50.0]])
    assert amax_of(histogram(values), "minmax", INT8) == 50.0
    assert 1.0 <= amax_of(histogram(values), "percentile", INT8) < 1.1


def test_the_percentile_leaves_out_one_value_in_ten_thousand() -> None:
    values = np.linspace(0, 1, 100_000)
    assert amax_of(histogram(values), "percentile", INT8) == pytest.approx(0.9999, abs=1 / BINS)


def test_the_largest_magnitude_is_that_of_all_images() -> None:
    assert histogram(np.array([5.0]), np.array([1.0, 2.0])).largest == 5.0


def test_mse_clips_a_lone_outlier_far_below_half_of_it() -> None:
    values = histogram(np.append(np.random.default_rng(0).uniform(-1, 1, 100_000), 7.0))
    # n (c / 127)^2 / 12 + (7 - c)^2 is least at c = 7 / (1 + n / 12 / 127^2)
    assert amax_of(values, "mse", INT8) == pytest.approx(4.6, abs=0.2)
    values.counts[: BINS // 2] *= 5
    assert amax_of(values, "mse", INT8) == pytest.approx(1.95, abs=0.2)


def test_shared_scales_are_few_and_at_most_9_percent_off() -> None:
    scales = np.exp(np.random.default_rng(0).uniform(-9, 2, 10_000))
    shared = np.array([shared_scale(scale) for scale in scales])
    ratio = np.maximum(shared / scales, scales / shared)
    assert 1.08 < ratio.max() <= 2 ** (1 / 8)
    assert len(set(shared)) <= 4 * 11 / np.log(2) + 2


def test_mse_weighs_an_outlier_against_coarse_steps() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 100_000)
    assert amax_of(histogram(noise), "mse", INT8) > 3.0  # nearly all of it
    with_outlier = histogram(np.append(noise, 60.0))
    # 1e5 (c / 127)^2 / 12 + (60 - c)^2 is least at c = 39.5
    assert amax_of(with_outlier, "mse", INT8) == pytest.approx(39.5, abs=1.0)
    assert amax_of(histogram(np.linspace(-1, 1, 100_000)), "mse", INT8) == pytest.approx(
        1.0, abs=0.02
    )


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_a_tensor_of_zeros_has_no_range(method) -> None:
    assert amax_of(histogram(np.zeros(8)), method, INT8) == 0.0


def test_ranges_do_not_depend_on_how_tensors_are_grouped(tiny_onnx: Path, monkeypatch) -> None:
    proto = onnx.load(tiny_onnx)
    names = ["stage/patch_embed", "stage/encoder_level1", "stage/decoder_level1"]
    images = [np.random.default_rng(i).integers(0, 256, (32, 40, 3), np.uint8) for i in range(2)]
    whole = histograms(proto, names, images, threads=1)
    monkeypatch.setattr(ranges, "BYTES_AT_ONCE", 1)
    told: list[tuple[int, int]] = []
    context = Context(advance=lambda done, total: told.append((done, total)))
    separate = histograms(proto, names, images, threads=1, context=context)
    assert told == [(1, 2), (2, 2)] * 3
    for name in names:
        assert whole[name].largest == pytest.approx(separate[name].largest, rel=1e-5)
        assert whole[name].counts.sum() == separate[name].counts.sum()


SCALES = Scales(
    "ab" * 32, "int8", "mse", {"source": "x", "count": 4}, {"t": TensorScale(2, 1.27, 0.01)}
)


def test_a_scales_file_round_trips_and_has_a_tensor_a_line(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(SCALES.to_json())
    assert scales_from_file(path) == SCALES
    assert sum('"scale":' in line for line in path.read_text().splitlines()) == 1


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_no_positive_number_is_refused(tmp_path: Path, scale: float) -> None:
    path = tmp_path / "s.json"
    path.write_text(SCALES.to_json().replace('"scale": 0.01', f'"scale": {json.dumps(scale)}'))
    with pytest.raises(CalibrationError, match="the scale of t is .*expected a number above 0"):
        scales_from_file(path)


@pytest.mark.parametrize("text", ["{}", "[1]", "nothing", '{"format": "other"}', "[" * 9999])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(CalibrationError, match="s.json is not a scales file"):
        scales_from_file(path)


def test_scales_of_another_model_or_precision_are_refused() -> None:
    path, model = Path("s.json"), Path("m.onnx")
    with pytest.raises(CalibrationError, match="made for another model .*calibrate this one"):
        check_belongs(SCALES, path, "cd" * 32, model, "int8")
    with pytest.raises(CalibrationError, match="holds scales for int8, not fp8"):
        check_belongs(SCALES, path, "ab" * 32, model, "fp8")
    check_belongs(SCALES, path, "ab" * 32, model, "int8")


@pytest.mark.parametrize("dtype", [INT8, FP8])
def test_heavy_tails_are_scored_on_the_dtype_that_they_are_quantised_to(dtype) -> None:
    values = np.random.default_rng(0).standard_t(3, 200_000).astype(np.float32)
    found = histogram(values)

    def error(amax: float) -> float:
        scale = np.float32(amax / dtype.largest)
        back = quantized_values(values, scale, dtype).astype(np.float32) * scale
        return float(np.mean((values - back) ** 2))

    assert error(amax_of(found, "mse", dtype)) <= 1.02 * error(amax_of(found, "minmax", dtype))
