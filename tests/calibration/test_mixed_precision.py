"""Lower precisions: every tensor typed, what must stay float32 kept and named, nothing silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from drsformer.calibration.evaluate.simulated_precision import simulated_precision
from drsformer.calibration.evaluate.top_k_masks import (
    mismatch_rate,
    top_k_mask_names,
    with_masks_as_inputs,
    with_masks_as_outputs,
)
from drsformer.calibration.mixed_precision import (
    bf16_from_fp32,
    fp16_from_fp32,
    mixed_precision_graph,
)
from drsformer.calibration.precision_rules import MOVES, kept_nodes
from drsformer.contract import CONTRACT
from drsformer.errors import ExportError, ProviderError
from drsformer.export.deployment import Runtime
from drsformer.export.graph import metadata_of
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.runtime import Derainer

from ..samples import noise

LOWS = {
    "fp16": (fp16_from_fp32, TensorProto.FLOAT16),
    "bf16": (bf16_from_fp32, TensorProto.BFLOAT16),
}


@pytest.fixture(scope="module")
def fp32(small_onnx: Path) -> onnx.ModelProto:
    return onnx.load(small_onnx)


def run(proto: onnx.ModelProto, *feeds: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, feeds, strict=True)))


def image(height: int = 64, width: int = 48) -> np.ndarray:
    return np.random.default_rng(height).random((1, 3, height, width), np.float32)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def types(proto: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True)
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in proto.graph.initializer}


@pytest.mark.parametrize("precision", LOWS)
def test_only_what_is_listed_computes_in_float32(fp32: onnx.ModelProto, precision: str) -> None:
    convert, low = LOWS[precision]
    made = convert(fp32)
    onnx.checker.check_model(made, full_check=True)
    kept = {one.node for one in kept_nodes(fp32)}
    found = types(made)
    computing = [n for n in made.graph.node if n.op_type not in (*MOVES, "Cast")]
    floats = (TensorProto.FLOAT, low)
    for node in computing:
        seen = {found[name] for name in (*node.input, *node.output) if found[name] in floats}
        assert seen == {TensorProto.FLOAT if node.name in kept else low}, node.name
    assert {TensorProto.FLOAT} == {found[v.name] for v in (*made.graph.input, *made.graph.output)}


@pytest.mark.parametrize("precision", LOWS)
def test_it_is_the_same_function_but_for_rounding(fp32: onnx.ModelProto, precision: str) -> None:
    convert, _ = LOWS[precision]
    (expected,) = run(fp32, image())
    (found,) = run(simulated_precision(convert(fp32)), image())
    assert 25 < psnr(found, expected) < 90  # stress weights flip; equal would mean not rounded


def test_kept_nodes_tell_their_module_and_reason(fp32: onnx.ModelProto) -> None:
    kept = kept_nodes(fp32)
    scores = next(one for one in kept if one.part == "scores")
    assert scores.module == "encoder_level1.0.attn"
    assert "180 x 180" in scores.reason
    assert {one.part for one in kept} == {"scores", "selection", "norm", "gates", "final sum"}
    assert {one.module for one in kept if one.part == "final sum"} == {"output"}


def test_conversion_is_deterministic_and_leaves_its_input(fp32: onnx.ModelProto) -> None:
    before = fp32.SerializeToString(deterministic=True)
    made = [fp16_from_fp32(fp32).SerializeToString(deterministic=True) for _ in range(2)]
    assert made[0] == made[1]
    assert fp32.SerializeToString(deterministic=True) == before


def test_the_file_says_what_it_is(fp32: onnx.ModelProto) -> None:
    made = bf16_from_fp32(fp32)
    assert metadata_of(made)["precision"] == "bf16"
    assert metadata_of(made)["checkpoint_sha256"] == metadata_of(fp32)["checkpoint_sha256"]
    assert made.opset_import[0].version == 22
    assert fp16_from_fp32(fp32).opset_import[0].version == 18


def test_a_whole_graph_cast_fails_where_ours_does_not() -> None:
    """Sums over height x width leave float16's range; here with features of 8 on 40 x 40."""
    q = np.full((1, 1, 4, 40 * 40), 8, np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], "t", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["x", "t"], ["y"], "a.attn.scores.MatMul"),
    ]
    io = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", q.shape), ("y", (1, 1, 4, 4)))
    ]
    graph = helper.make_graph(nodes, "g", io[:1], io[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    from drsformer.calibration.mixed_precision import LOW_DTYPES

    (whole,) = run(simulated_precision(mixed_precision_graph(proto, LOW_DTYPES["fp16"], [])), q)
    (kept,) = run(
        simulated_precision(
            mixed_precision_graph(proto, LOW_DTYPES["fp16"], ["a.attn.scores.MatMul"])
        ),
        q,
    )
    assert np.isinf(whole).all()
    assert np.array_equal(kept, q @ q.transpose(0, 1, 3, 2))


def test_simulated_precision_rounds_at_every_operator() -> None:
    """Test: y = round16(round16(x) + round16(w)) of float32 x and w."""
    x, w = (np.float32([1.0004, 3.14159]), np.float32([0.3333, 1000.1]))
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"], "add")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(w, "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    from drsformer.calibration.mixed_precision import LOW_DTYPES

    (found,) = run(simulated_precision(mixed_precision_graph(proto, LOW_DTYPES["fp16"], [])), x)
    expected = (x.astype(np.float16).astype(np.float32) + w.astype(np.float16)).astype(np.float16)
    assert np.array_equal(found, expected.astype(np.float32))


def test_a_graph_with_its_own_masks_as_inputs_gives_the_same(fp32: onnx.ModelProto) -> None:
    expected, *masks = run(with_masks_as_outputs(fp32), image())
    (found,) = run(with_masks_as_inputs(fp32), image(), *masks)
    assert len(masks) == len(top_k_mask_names(fp32)) > 0
    assert np.array_equal(found, expected)
    inverted = [~masks[0], *masks[1:]]
    (other,) = run(with_masks_as_inputs(fp32), image(), *inverted)
    assert not np.allclose(other, expected)


def test_mismatch_rate_counts_entries() -> None:
    a = [np.array([True, True, False]), np.array([False])]
    b = [np.array([True, False, True]), np.array([False])]
    assert mismatch_rate(a, b) == 0.5
    assert mismatch_rate(a, a) == 0.0


def test_float16_inputs_and_outputs_run_like_any_other_file(
    fp32: onnx.ModelProto, tmp_path: Path
) -> None:
    made = fp16_from_fp32(fp32, low_io=True)
    assert json.loads(metadata_of(made)["contract"])["dtype"] == "float16"
    path = tmp_path / "low.onnx"
    onnx.save(made, path)
    onnx.save(fp16_from_fp32(fp32), tmp_path / "same.onnx")
    picture = noise(37, 53)
    for provider in ("cpu", "openvino"):
        if provider == "openvino":
            pytest.importorskip("openvino")
        with Derainer(path, provider=provider) as low, Derainer(tmp_path / "same.onnx") as same:
            assert low.contract.dtype == "float16"
            error = np.abs(low.derain(picture).astype(int) - same.derain(picture))
        assert np.percentile(error, 99) <= 6  # top-k flips of the stress weights


def test_bfloat16_is_refused_by_a_runtime_that_cannot(
    fp32: onnx.ModelProto, tmp_path: Path
) -> None:
    path = tmp_path / "b.onnx"
    onnx.save(bf16_from_fp32(fp32), path)
    with pytest.raises(ProviderError, match="a bfloat16 file needs provider 'openvino'"):
        Derainer(path)
    pytest.importorskip("openvino")
    with Derainer(path, provider="openvino") as derainer:
        assert derainer.contract == CONTRACT
        assert derainer.derain(noise(16, 24)).shape == (16, 24, 3)


def test_what_was_converted_is_not_converted_again(fp32: onnx.ModelProto) -> None:
    with pytest.raises(ExportError, match="is in fp16 already; convert the float32 file"):
        bf16_from_fp32(fp16_from_fp32(fp32))


def test_plain_and_older_files_are_refused(fp32: onnx.ModelProto, small_checkpoint: Path) -> None:
    plain = onnx.ModelProto()
    plain.CopyFrom(fp32)
    for prop in plain.metadata_props:
        if prop.key == "form":
            prop.value = "plain"
    with pytest.raises(ExportError, match="not in deployment form.*without --plain"):
        fp16_from_fp32(plain)
    older = onnx.ModelProto()
    older.CopyFrom(fp32)
    for node in older.graph.node:
        node.name = node.name.replace(".norm.", ".")
    with pytest.raises(ExportError, match="no nodes named for norm.*export it again"):
        fp16_from_fp32(older)


@pytest.mark.parametrize("runtime", get_args(Runtime))
def test_every_runtime_converts(runtime, small_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    onnx_from_checkpoint(small_checkpoint, path, ExportSettings(runtime=runtime))
    proto = onnx.load(path)
    (expected,) = run(proto, image(32, 32))
    assert psnr(run(simulated_precision(fp16_from_fp32(proto)), image(32, 32))[0], expected) > 30


@pytest.mark.parametrize("kind", ["zeros", "ones", "saturated noise", "four pixels high"])
def test_flat_and_odd_inputs_stay_finite(fp32: onnx.ModelProto, kind: str) -> None:
    x = {
        "zeros": np.zeros((1, 3, 64, 64), np.float32),
        "ones": np.ones((1, 3, 64, 64), np.float32),
        "saturated noise": (image(64, 64) > 0.5).astype(np.float32),
        "four pixels high": np.pad(image(4, 64), ((0, 0), (0, 0), (0, 4), (0, 0)), "edge"),
    }[kind]
    for convert, _ in LOWS.values():
        assert np.isfinite(run(simulated_precision(convert(fp32)), x)[0]).all()
