"""The exported file: what it computes, what it is made of, and that it is reproducible."""

import json
from collections import Counter
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest

from drsformer.contract import CONTRACT
from drsformer.errors import ExportError
from drsformer.export.deployment import REWRITES, Runtime
from drsformer.export.onnx_from_model import OPSETS, ExportSettings, onnx_from_model

# float32 sums in another order; on the full-size networks a near tie may flip in the top-k
TOLERANCES = {"paper_mefc": 3e-4, "paper_plain": 3e-4}
SMALL_TOLERANCE = 1e-5
SINGLE = {"INFERENCE_PRECISION_HINT": "f32"}  # else OpenVINO computes in bfloat16 where it can


def exported(golden, **settings):
    return onnx_from_model(golden.model(), ExportSettings(**settings), {})


def run(proto, image):
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {CONTRACT.input_name: image})[0]


def test_onnx_runtime_gives_the_golden_output(golden):
    output = run(exported(golden), golden.arrays["input"])
    error = np.abs(output - golden.arrays["output"]).max()
    assert error < TOLERANCES.get(golden.name, SMALL_TOLERANCE)


def test_a_file_for_openvino_gives_the_golden_output_everywhere(small_golden, tmp_path):
    proto = exported(small_golden, runtime="openvino")
    image, expected = (small_golden.arrays[name] for name in ("input", "output"))
    assert np.abs(run(proto, image) - expected).max() < SMALL_TOLERANCE
    onnx.save(proto, tmp_path / "m.onnx")
    result = openvino.compile_model(tmp_path / "m.onnx", "CPU", SINGLE)(image)[0]
    assert np.abs(result - expected).max() < SMALL_TOLERANCE


@pytest.mark.parametrize("runtime", get_args(Runtime))
@pytest.mark.parametrize("opset", [17, 18])
def test_every_runtime_loads_in_both_opset_forms(goldens, runtime, opset):
    golden = goldens["odd_heads"]
    output = run(exported(golden, opset=opset, runtime=runtime), golden.arrays["input"])
    assert np.abs(output - golden.arrays["output"]).max() < SMALL_TOLERANCE


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_on_offer_gives_the_same(goldens, opset):
    golden = goldens["small_plain"]
    proto = exported(golden, opset=opset)
    assert [o.version for o in proto.opset_import] == [opset]
    assert (
        np.abs(run(proto, golden.arrays["input"]) - golden.arrays["output"]).max() < SMALL_TOLERANCE
    )


@pytest.fixture(scope="module")
def full(goldens):
    return exported(goldens["paper_mefc"])


def test_full_network_has_no_symbolic_shape_chains(full):
    kinds = {node.op_type for node in full.graph.node}
    assert len(full.graph.node) < 4500
    assert not kinds & {"Unsqueeze", "Squeeze", "Cast", "ConstantOfShape", "Expand", "Range"}
    shapes = {o for n in full.graph.node if n.op_type == "Shape" for o in n.output}
    readers = [n for n in full.graph.node if shapes & set(n.input)]
    assert {n.op_type for n in readers} == {"Reshape"}


def test_a_file_for_onnx_runtime_has_more_convolutions_and_nothing_else(small_golden):
    """Its feed-forwards are split into parts; "any" keeps to the number of nodes above."""
    counts = {
        runtime: Counter(n.op_type for n in exported(small_golden, runtime=runtime).graph.node)
        for runtime in ("any", "ort")
    }
    assert set(counts["ort"] - counts["any"]) == {"Conv", "Relu", "Add"}
    assert not counts["any"] - counts["ort"]


def test_only_the_standard_operator_set_is_used(full):
    assert [(o.domain, o.version) for o in full.opset_import] == [("", 18)]
    assert {node.domain for node in full.graph.node} == {""}


def test_every_k_is_a_constant_initializer(full):
    initializers = {tensor.name for tensor in full.graph.initializer}
    top_ks = [node for node in full.graph.node if node.op_type == "TopK"]
    assert len(top_ks) == 40  # one per attention block
    assert all(node.input[1] in initializers for node in top_ks)


def test_nodes_are_named_after_their_modules(full):
    names = [node.name for node in full.graph.node]
    assert len(set(names)) == len(names)
    assert "latent.7.attn.qkv.v" in names and "refinement.layers.1._ops.3._ops.6.0" in names


def test_metadata_says_how_the_file_was_made(full, goldens):
    metadata = {p.key: p.value for p in full.metadata_props}
    assert metadata["contract"] == CONTRACT.to_json()
    assert json.loads(metadata["config"])["num_blocks"] == [4, 6, 6, 8]
    assert json.loads(metadata["rewrites"]) == list(REWRITES)
    assert metadata["form"] == "deployed" and metadata["drs_export_version"]


def test_two_exports_have_the_same_bytes(goldens):
    first, second = (
        exported(goldens["small_mefc"]).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second


def test_batch_height_and_width_are_dynamic_unless_fixed(goldens):
    def dims(proto):
        shape = proto.graph.input[0].type.tensor_type.shape.dim
        return [d.dim_param or d.dim_value for d in shape]

    golden = goldens["small_plain"]
    assert dims(exported(golden)) == ["batch", 3, "height", "width"]
    fixed = exported(golden, batch=2, height=24, width=32)
    assert dims(fixed) == [2, 3, 24, 32]
    assert run(fixed, np.zeros((2, 3, 24, 32), np.float32)).shape == (2, 3, 24, 32)


@pytest.mark.parametrize(
    "settings", [{"opset": 16}, {"batch": 0}, {"height": 12}, {"width": -8}, {"height": 0}]
)
def test_settings_that_no_file_could_hold_are_refused(settings):
    with pytest.raises(ExportError):
        ExportSettings(**settings)


def test_the_plain_form_has_no_rewrites_and_gives_the_golden_output(goldens):
    golden = goldens["odd_heads"]
    proto = exported(golden, plain=True)
    metadata = {p.key: p.value for p in proto.metadata_props}
    assert (metadata["form"], metadata["rewrites"]) == ("plain", "[]")
    assert (
        np.abs(run(proto, golden.arrays["input"]) - golden.arrays["output"]).max() < SMALL_TOLERANCE
    )
    assert {o.domain for o in proto.opset_import} == {""}
    onnx.checker.check_model(proto)
