"""Images and small ONNX files for the tests; files can have one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from drsformer.contract import CONTRACT, METADATA_KEY

ANY_SIZE = ("batch", 3, "height", "width")


def noise(height: int, width: int, dtype: type = np.uint8) -> NDArray[np.generic]:
    """Return random levels that depend on the size alone."""
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def write_model(
    path: Path,
    shape: Sequence[int | str] = ANY_SIZE,
    *,
    contract: str | None = CONTRACT.to_json(),
    names: tuple[str, str] = (CONTRACT.input_name, CONTRACT.output_name),
    dtype: int = TensorProto.FLOAT,
    only_8x8: bool = False,
    scale: float = 1.0,
    stride: int = 1,
) -> Path:
    """Write a 3x3 convolution plus the mean over the whole input.

    Like the real network it sees all of its input and leaves [0, 1]. With `only_8x8` it fails
    while running on any other size, although its declared shape allows them. `scale` multiplies
    the kernel; a `stride` of 2 halves the output, which the declared shape hides.
    """
    kernel = np.random.default_rng(5).normal(0, 0.25, (3, 3, 3, 3)).astype(np.float32)
    kernel *= np.float32(scale)
    kernel += np.eye(3, dtype=np.float32)[:, :, None, None] / 9
    weights = {"kernel": kernel, "axes": np.array([-2, -1]), "size": np.array([0, 3, 8, 8])}
    nodes = [
        helper.make_node("Cast", [names[0]], ["x"], to=TensorProto.FLOAT),
        helper.make_node(
            "Reshape" if only_8x8 else "Identity", ["x", "size"][: 1 + only_8x8], ["y"]
        ),
        helper.make_node("Conv", ["y", "kernel"], ["local"], pads=[1] * 4, strides=[stride] * 2),
        helper.make_node("ReduceMean", ["y", "axes"], ["global"]),
        helper.make_node("Add", ["local" if len(shape) == 4 else "y", "global"], ["sum"]),
        helper.make_node("Cast", ["sum"], [names[1]], to=dtype),
    ]
    if len(shape) != 4:
        del nodes[2]  # a convolution of images needs four axes
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(names[0], dtype, shape)],
        [helper.make_tensor_value_info(names[1], dtype, shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if contract is not None:
        helper.set_model_props(model, {METADATA_KEY: contract})
    onnx.save(model, path)
    return path


def write_identity(path: Path, shape: Sequence[int | str]) -> Path:
    """Write a model of our contract whose output is its input."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name in (CONTRACT.input_name, CONTRACT.output_name)]  # fmt: skip
    node = helper.make_node("Identity", [CONTRACT.input_name], [CONTRACT.output_name])
    graph = helper.make_graph([node], "test", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: CONTRACT.to_json()})
    onnx.save(model, path)
    return path


def write_overflowing(source: Path, path: Path) -> Path:
    """Write a copy of the tiny model whose values, not its weights, lie beyond float16."""
    proto = onnx.load(source)
    for tensor in proto.graph.initializer:
        if tensor.name in ("patch_embed.weight", "encoder_level1.0.ffn.1.3x3.0.project_out.weight"):
            array = numpy_helper.to_array(tensor) * 3e4
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(proto, path)
    return path
