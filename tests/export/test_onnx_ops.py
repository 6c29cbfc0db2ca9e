"""Recorded sums keep their digits in the runtimes, on images as large as users have."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import openvino
import pytest
import torch

from drsformer.export.onnx_ops import OnnxOps
from drsformer.export.ops import Conv


def in_onnx_runtime(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def in_openvino(path, x):
    return openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]


def recorded(path, name, x):
    """Write one operator behind a convolution, which gives runtimes their own layout."""
    ops = OnnxOps(18)
    identity = Conv(torch.eye(x.shape[1])[:, :, None, None])
    image = ir.Value(name="x", shape=ir.Shape(x.shape), type=ir.TensorType(ir.DataType.FLOAT))
    made = getattr(ops, name)(ops.conv("conv", image, identity))
    made.shape, made.type = ir.Shape((*x.shape[:2], 1, 1)), image.type
    graph = ir.Graph([image], [made], nodes=ops.tape.nodes, initializers=ops.tape.initializers,
                     opset_imports={"": 18}, name="one")  # fmt: skip
    onnx.save(ir.to_proto(ir.Model(graph, ir_version=8)), path)


@pytest.mark.parametrize("run", [in_onnx_runtime, in_openvino])
@pytest.mark.parametrize("side", [64, 512])
def test_sums_over_an_image_lose_no_digits(run, side, tmp_path):
    # GlobalAveragePool and ReduceL2 were off by 1.4e-5 and 3.3e-5 at 512 x 512,
    # sums in two steps by 1e-7 to 6e-7
    x = np.random.default_rng(0).random((1, 16, side, side), np.float32) + np.float32(0.3)
    exact = x.astype(np.float64)
    mean, norm = exact.mean((2, 3)), np.sqrt((exact**2).sum((2, 3)))
    for name, expected in (("spatial_mean", mean), ("spatial_norm", norm)):
        path = tmp_path / f"{name}.onnx"
        recorded(path, name, x)
        assert np.abs(run(path, x)[..., 0, 0] / expected - 1).max() < 2e-6
