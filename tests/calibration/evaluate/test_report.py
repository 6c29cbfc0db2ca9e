"""The remarks of a conversion report, and that it notices a runtime that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.calibration.crops import synthetic_crops, synthetic_samples
from drsformer.calibration.evaluate.evaluator import Quality
from drsformer.calibration.evaluate.report import ConversionReport, Line, in_runtimes, remarks_on
from drsformer.calibration.quantize import quantized_from_fp32
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings

DEMO = Path(__file__).resolve().parents[3] / "drsformer/weights/demo.safetensors"
FAST = {"onnxruntime": 1.5, "openvino": 1.5}


def line(precision: str, drop: float, speed: dict[str, float | None], difference: int = 1) -> Line:
    return Line(precision, 1, Quality(50.0, None, 0.0, 1, 30.0, drop, 0.0), speed, difference)


FP32 = Line("fp32", 2, None, {"onnxruntime": 1.0, "openvino": 1.0}, 1)


def test_there_is_no_remark_on_what_is_good_and_fast() -> None:
    assert remarks_on([FP32, line("fp16", 0.0, FAST)]) == []


def test_worse_and_slower_are_remarked_against_the_next_higher_precision() -> None:
    fp16 = line("fp16", 0.01, FAST)
    remarks = remarks_on([FP32, fp16, line("int8", 0.31, {"onnxruntime": 0.5, "openvino": None})])
    assert remarks[0].startswith("int8 loses 0.30 dB against fp16")
    assert remarks[1].startswith("int8 is slower than fp16 in onnxruntime on this CPU (0.33 times")
    assert remarks[2] == "int8 does not run in openvino here"


def test_there_is_no_remark_on_a_runtime_that_is_not_here() -> None:
    only: dict[str, float | None] = {"onnxruntime": 1.5, "openvino": None}
    fp32 = Line("fp32", 2, None, {"onnxruntime": 1.0, "openvino": None}, None)
    assert remarks_on([fp32, line("fp16", 0.0, only)]) == []


def test_there_is_a_remark_on_runtimes_that_disagree() -> None:
    remarks = remarks_on([FP32, line("int8", 0.0, FAST, difference=60)])
    assert "differ by up to 60 of 255: one of them computes the file wrongly" in remarks[0]


def test_a_report_is_json_ready_under_the_keys_of_0_1_0() -> None:
    equal = Line("fp16", 1, Quality(float("inf"), None, 0.0, 0), FAST, 0)
    made = ConversionReport((FP32, equal), ("a",), ()).to_dict()
    assert list(made) == ["lines", "images", "words"]
    assert made["words"] == ["no regression found"]
    assert list(made["lines"][1]) == [
        "precision", "size_bytes", "quality", "speed", "levels_apart",
    ]  # fmt: skip
    assert list(made["lines"][1]["quality"]) == [
        "psnr_db", "imposed_psnr_db", "flip_rate", "max_levels", "y_psnr_db", "y_psnr_drop_db",
        "ssim_drop",
    ]  # fmt: skip
    assert made["lines"][1]["quality"]["psnr_db"] is None
    assert made["lines"][0]["quality"] is None


def test_onnx_runtime_and_openvino_agree_on_the_shipped_checkpoint_in_int8(tmp_path: Path) -> None:
    """OpenVINO 2026.4 computes a quantised convolution behind a Concat wrongly: 60 levels."""
    pytest.importorskip("openvino")
    path = tmp_path / "demo.onnx"
    onnx_from_checkpoint(DEMO, path, ExportSettings())
    proto = onnx.load(path)
    made = quantized_from_fp32(proto, scales_from_images(path, synthetic_crops(4, 128)))
    image = synthetic_samples(128)[0].rainy
    speeds, differences = in_runtimes({"fp32": proto, "int8": made}, image, threads=1)
    assert (
        differences["fp32"] in (0, 1)
        and differences["int8"] is not None
        and differences["int8"] <= 2
    )
    assert all(speed and np.isfinite(speed) for speed in speeds["int8"].values())
