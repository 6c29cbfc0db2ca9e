"""The cost of a graph equals figures worked out by hand and by another tool."""

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode

from drsformer.errors import ExportError
from drsformer.export.cost import cost_of_file
from drsformer.export.deployment import deployment_from_model
from drsformer.export.ops import TorchOps


def write_graph(path, nodes, weights, shape=("n", 3, "h", "w"), out=("a", "b", "c", "d")):
    """Write a graph whose tensors "x" and "y" are input and output."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, shape)],
        [info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(w.numpy(), name) for name, w in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def test_a_convolution_by_hand(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "body.first", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "body.relu"),
        helper.make_node("Conv", ["b", "d"], ["y"], "tail", group=4, pads=[2] * 4),
    ]
    weights = {"w": torch.zeros(4, 3, 3, 3), "d": torch.zeros(4, 1, 5, 5)}
    costs = cost_of_file(write_graph(tmp_path / "m.onnx", nodes, weights), height=16, width=24)
    body, tail = costs.by_stage
    pixels = 16 * 24
    assert (body.part, body.operators, body.macs) == ("body", 1, 4 * 27 * pixels)
    assert (body.weight_bytes, body.feature_bytes) == (4 * 4 * 27, 4 * (3 + 4) * pixels)
    assert (tail.part, tail.macs) == ("tail", 4 * 25 * pixels)
    assert [cost.part for cost in costs.by_kind] == ["Conv 3x3", "Conv 5x5 depthwise"]
    assert costs.total.macs == body.macs + tail.macs


@pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 72)])
def test_the_whole_network_counts_what_pytorch_counts(small_onnx, goldens, height, width):
    deployment = deployment_from_model(goldens["small_mefc"].model())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        deployment(TorchOps(), torch.zeros(1, 3, height, width))
    costs = cost_of_file(small_onnx, height=height, width=width)
    # channel means are convolutions in the file and plain sums in PyTorch
    means = next(cost for cost in costs.by_kind if cost.part == "Conv 1")
    assert counter.get_total_flops() == 2 * (costs.total.macs - means.macs)
    assert sum(cost.macs for cost in costs.by_stage) == costs.total.macs
    assert [costs.by_stage[0].part, costs.by_stage[-1].part] == ["patch_embed", "output"]


def test_a_batch_costs_its_images(small_onnx):
    one, three = (cost_of_file(small_onnx, batch=n, height=32, width=32) for n in (1, 3))
    convs = [
        next(cost for cost in costs.by_kind if cost.part == "Conv 5x5 depthwise")
        for costs in (one, three)
    ]
    assert convs[1].macs == 3 * convs[0].macs and convs[1].weight_bytes == convs[0].weight_bytes


def test_unknown_sizes_are_refused_not_left_out(tmp_path):
    nodes = [
        helper.make_node("NonZero", ["x"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["y"], "product"),
    ]
    path = write_graph(tmp_path / "m.onnx", nodes, {"w": torch.zeros(5, 2)}, out=("a", "b"))
    with pytest.raises(ExportError, match="the size of product cannot be inferred"):
        cost_of_file(path)


def test_a_fixed_size_is_refused_by_name(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    path = write_graph(tmp_path / "m.onnx", nodes, {}, (1, 3, 64, "w"))
    with pytest.raises(ExportError, match="for a height of 64, not 256"):
        cost_of_file(path)
    with pytest.raises(ExportError, match="no single input"):
        cost_of_file(write_graph(tmp_path / "n.onnx", nodes, {}, (3, 8)))
