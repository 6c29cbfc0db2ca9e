"""INT8 and FP8: only what is chosen is quantised, exactly as stated, and nothing else sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from drsformer.calibration.crops import Crops
from drsformer.calibration.evaluate.simulated_precision import simulated_precision
from drsformer.calibration.precision_rules import (
    convolutions,
    convolutions_with_reasons,
    quantizable,
)
from drsformer.calibration.quantize import (
    FP8,
    INT8,
    QUANTIZED_DTYPES,
    float16_scale,
    quantized_from_fp32,
    quantized_graph,
    quantized_values,
    weight_scales,
)
from drsformer.calibration.scales import Scales, TensorScale
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.errors import CalibrationError


@pytest.fixture(scope="module")
def fp32(small_onnx: Path) -> onnx.ModelProto:
    return onnx.load(small_onnx)


@pytest.fixture(scope="module")
def scales(small_onnx: Path) -> Scales:
    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (48, 48, 3), np.uint8) for _ in range(4))
    return scales_from_images(small_onnx, Crops("noise", images), method="minmax")


def run(proto: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).random((1, 3, 48, 48), np.float32)
    return session.run(None, {"input": x})[0]


def test_default_choice_is_dense_and_leaves_out_what_changes_top_k_masks(
    fp32: onnx.ModelProto,
) -> None:
    chosen = {node.name for node in quantizable(fp32)}
    assert "encoder_level2.0.attn.qkv.v" in chosen
    for kept in ("patch_embed", "output", "encoder_level1.0.attn.qkv.v", "down1_2",
                   "encoder_level2.0.attn.qkv.q", "latent.0.attn.qkv_dwconv.v",
                   "encoder_level0.layers.1.preprocess"):  # fmt: skip
        assert kept not in chosen
    reasons = {node.name: reason for node, reason in convolutions_with_reasons(fp32)}
    assert reasons["encoder_level2.0.attn.qkv.q"] == "feeds the scores that the top-k selects by"
    assert chosen == {name for name, reason in reasons.items() if reason is None}


def test_only_the_chosen_convolutions_read_quantised_tensors(
    fp32: onnx.ModelProto, scales: Scales
) -> None:
    chosen = {node.name for node in quantizable(fp32)}
    made = quantized_graph(fp32, scales.by_tensor, chosen, INT8)
    onnx.checker.check_model(made, full_check=True)
    for node in made.graph.node:
        reads = [name for name in node.input if name.endswith(".dequantized")]
        assert len(reads) == (2 if node.name in chosen else 0), node.name
    pairs = [n for n in made.graph.node if n.op_type == "QuantizeLinear"]
    shared = {n.input[0] for n in fp32.graph.node if n.name in chosen}
    assert sorted(n.input[0] for n in pairs) == sorted(shared)


def test_weights_are_stored_in_8_bits_and_come_back_within_half_a_step(
    fp32: onnx.ModelProto, scales: Scales
) -> None:
    name = "encoder_level2.0.attn.qkv.v"
    made = quantized_graph(fp32, scales.by_tensor, {name}, INT8)
    tensors = {t.name: t for t in made.graph.initializer}
    stored = tensors[f"{name}.weight.quantized"]
    assert stored.data_type == TensorProto.INT8 and f"{name}.weight" not in tensors
    original = next(t for t in fp32.graph.initializer if t.name == f"{name}.weight")
    weight, scale = (
        numpy_helper.to_array(original),
        weight_scales(numpy_helper.to_array(original), INT8),
    )
    back = numpy_helper.to_array(stored) * scale[:, None, None, None]
    # float16 rounds a scale by 2^-11 at most: the largest weight may end a 16th of a step outside
    assert (np.abs(back - weight) <= 0.57 * scale[:, None, None, None]).all()


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_the_rest_is_float16_and_scales_keep_their_value(
    fp32: onnx.ModelProto, scales: Scales, precision: str
) -> None:
    largest = QUANTIZED_DTYPES[precision].largest
    tensors = {
        name: TensorScale(tensor.largest, tensor.amax, tensor.amax / largest)
        for name, tensor in scales.tensors.items()
    }
    ours = Scales(scales.model_sha256, precision, "minmax", {}, tensors)
    made = quantized_from_fp32(fp32, ours)
    weights = {t.name: t for t in made.graph.initializer}
    pairs = [n for n in made.graph.node if n.op_type == "QuantizeLinear"]
    assert {weights[n.input[1]].data_type for n in pairs} == {TensorProto.FLOAT16}
    name = next(iter(ours.tensors))
    stored = numpy_helper.to_array(weights[f"{name}.scale.f16"])
    assert stored == float16_scale(np.array(ours.tensors[name].scale))
    assert made.opset_import[0].version == 19
    expected, found = run(fp32), run(simulated_precision(made))
    assert 15 < -10 * np.log10(np.mean((found - expected) ** 2)) < 60  # stress weights


def test_kept_convolutions_stay_in_float16(fp32: onnx.ModelProto, scales: Scales) -> None:
    names = {node.name for node in quantizable(fp32)}
    made = quantized_from_fp32(fp32, scales, kept_in_fp16=names)
    assert not [n for n in made.graph.node if n.op_type == "QuantizeLinear"]


def test_float8_values_are_rounded_to_float8() -> None:
    values = np.float32([1.0, 1.06, 500.0, -0.3])
    stored = quantized_values(values, np.float32(1.0), FP8).astype(np.float32)
    assert stored.tolist() == [1.0, 1.0, 448.0, -0.3125]


def test_a_scale_below_float16_is_lifted_not_zeroed() -> None:
    assert float16_scale(np.array([1e-12, 0.5]))[0] == 2.0**-24


def test_a_missing_scale_is_named(fp32: onnx.ModelProto, scales: Scales) -> None:
    name = next(node.input[0] for node in quantizable(fp32))
    fewer = {k: v for k, v in scales.by_tensor.items() if k != name}
    chosen = {node.name for node in quantizable(fp32)}
    with pytest.raises(CalibrationError, match=f"no scale for {name}; calibrate again"):
        quantized_graph(fp32, fewer, chosen, INT8)


def test_every_convolution_but_a_norms_average_is_known(fp32: onnx.ModelProto) -> None:
    names = {node.name for node in convolutions(fp32)}
    assert not [name for name in names if ".norm." in name] and "patch_embed" in names
