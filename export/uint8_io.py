"""Gives a model uint8 input and output: scaling, layout, clamping and rounding join the graph.

An application then copies pixels and computes nothing. Only padding stays outside the graph:
reflection that is computed from the shape does not build in TensorRT-RTX.

Rules:
    1. Before the network: Cast to float32, Div by 255, Transpose to NCHW. The cast comes first,
       because TensorRT knows uint8 as the type of inputs and outputs only.
    2. Behind it: Clip to [0, 1], Mul by 255, Round half to even, Transpose to NHWC, Cast to uint8.
    3. These nodes compute in float32, whatever the network computes in, exactly as the runtime
       does for a float32 model. So both models give the same pixels, bit by bit.
Requires:
    a model with the float32 contract.
Ensures:
    `without_uint8_io` gives back the model that `with_uint8_io` was given.
"""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from onnx_ir.passes.common import RemoveUnusedNodesPass

from drsformer.contract import (
    CHANNELS,
    CONTRACT,
    CONTRACTS,
    METADATA_KEY,
    contract_from_json,
    image_from_output,
    input_from_image,
)
from drsformer.errors import AgreementError, ExportError

from .cpu_session import cpu_session
from .graph import check_valid, metadata_of, set_metadata

PREFIX = "pixels."
LEVELS = 255.0
SIZES = ((64, 64), (48, 80), (8, 8))  # height and width of the images that the check runs


def has_uint8_io(proto: onnx.ModelProto) -> bool:
    """Return whether a model has uint8 input and output."""
    return any(node.name.startswith(PREFIX) for node in proto.graph.node)


def with_uint8_io(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with uint8 (N, H, W, 3) input and output; `proto` is not changed.

    Raises:
        ExportError: the model does not have the float32 contract.
    """
    metadata = metadata_of(proto)
    contract = contract_from_json(metadata.get(METADATA_KEY, "{}"), source="the model")
    if contract != CONTRACT:
        raise ExportError(
            f"a model with {contract.dtype} input and output cannot get uint8 ones; give a model "
            "with float32 input and output"
        )
    model = ir.from_proto(proto)
    _add_input(model.graph)
    _add_output(model.graph)
    return _with_contract(ir.to_proto(model), "uint8")


def without_uint8_io(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float32 model that `with_uint8_io` was given; any other model as it is."""
    if not has_uint8_io(proto):
        return proto
    model = ir.from_proto(proto)
    graph = model.graph
    made = {value.name: value for node in graph for value in node.outputs}
    inner, output = made[_INNER_INPUT], made[_INNER_OUTPUT]
    image = ir.Value(name=CONTRACT.input_name)
    for value, outer in ((image, graph.inputs[0]), (output, graph.outputs[0])):
        assert outer.shape is not None
        batch, height, width, channels = outer.shape
        value.shape = ir.Shape([batch, channels, height, width])
        value.type = ir.TensorType(ir.DataType.FLOAT)
    ir.convenience.replace_all_uses_with(inner, image)
    graph.inputs[0], graph.outputs[0] = image, output
    RemoveUnusedNodesPass()(model)  # what computed in uint8, and its constants
    output.name = CONTRACT.output_name
    return _with_contract(ir.to_proto(model), "float32")


_INNER_INPUT, _INNER_OUTPUT = f"{PREFIX}input", f"{PREFIX}output"


def _add_input(graph: ir.Graph) -> None:
    """Put rule 1's nodes before the network."""
    inner = graph.inputs[0]
    assert inner.shape is not None
    batch, _, height, width = inner.shape
    pixels = ir.Value(
        name=CONTRACT.input_name,
        shape=ir.Shape([batch, height, width, CHANNELS]),
        type=ir.TensorType(ir.DataType.UINT8),
    )
    graph.inputs[0] = pixels
    inner.name = _INNER_INPUT
    levels = _constant(graph, "levels", np.float32(LEVELS))
    cast = _node("to_f32", "Cast", [pixels], to=ir.DataType.FLOAT.value)
    scaled = _node("scaled", "Div", [cast.outputs[0], levels])
    planes = _node("to_nchw", "Transpose", [scaled.outputs[0]], perm=[0, 3, 1, 2])
    made = planes.outputs[0]
    ir.convenience.replace_all_uses_with(inner, made)
    made.name, made.shape, made.type = _INNER_INPUT, inner.shape, inner.type
    graph.insert_before(graph[0], [cast, scaled, planes])


def _add_output(graph: ir.Graph) -> None:
    """Put rule 2's nodes behind the network."""
    inner = graph.outputs[0]
    inner.name = _INNER_OUTPUT
    assert inner.shape is not None
    batch, _, height, width = inner.shape
    levels = graph.initializers[f"{PREFIX}levels"]
    low = _constant(graph, "lowest", np.float32(0))
    high = _constant(graph, "highest", np.float32(1))
    clipped = _node("clamped", "Clip", [inner, low, high])
    scaled = _node("levelled", "Mul", [clipped.outputs[0], levels])
    rounded = _node("rounded", "Round", [scaled.outputs[0]])
    rows = _node("to_nhwc", "Transpose", [rounded.outputs[0]], perm=[0, 2, 3, 1])
    cast = _node("to_u8", "Cast", [rows.outputs[0]], to=ir.DataType.UINT8.value)
    made = cast.outputs[0]
    made.name = CONTRACT.output_name
    made.shape = ir.Shape([batch, height, width, CHANNELS])
    made.type = ir.TensorType(ir.DataType.UINT8)
    graph.extend([clipped, scaled, rounded, rows, cast])
    graph.outputs[0] = made


def _node(name: str, operator: str, inputs: list[ir.Value], **attributes: object) -> ir.Node:
    node = ir.node(operator, inputs, attributes or None, name=f"{PREFIX}{name}")  # type: ignore[arg-type]
    node.outputs[0].name = f"{PREFIX}{name}"
    return node


def _constant(graph: ir.Graph, name: str, value: np.float32) -> ir.Value:
    tensor = ir.tensor(np.asarray(value), name=f"{PREFIX}{name}")
    made = ir.Value(
        name=tensor.name, shape=ir.Shape(()), type=ir.TensorType(tensor.dtype), const_value=tensor
    )
    graph.register_initializer(made)
    return made


def _with_contract(proto: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    set_metadata(proto, metadata_of(proto) | {METADATA_KEY: CONTRACTS[dtype].to_json()})
    check_valid(proto, "the graph with uint8 input and output")
    return proto


def check_uint8_io(proto: onnx.ModelProto, source: str) -> None:
    """Compare a uint8 model with its float32 model: every pixel must be equal.

    Both run in ONNX Runtime on images of noise.

    Args:
        proto: a model with uint8 input and output that ONNX Runtime can run on a CPU.
        source: name of the model, for the error.

    Raises:
        AgreementError: a pixel differs.
    """
    rng = np.random.default_rng(0)
    inside, outside = cpu_session(proto), cpu_session(without_uint8_io(proto))
    for height, width in _sizes(proto):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        batch = _fixed_batch(proto)
        (pixels,) = inside.run(None, {_input(inside): np.stack([image] * batch)})
        scaled = np.concatenate([input_from_image(image)] * batch)
        (output,) = outside.run(None, {_input(outside): scaled})
        expected = image_from_output(output[:1], image)
        if not np.array_equal(pixels[0], expected):
            most = int(np.abs(pixels[0].astype(int) - expected).max())
            raise AgreementError(
                f"{source}: pixels differ by up to {most} levels from the float32 model's at "
                f"{height}x{width}; nothing was written; please report this"
            )


def _sizes(proto: onnx.ModelProto) -> tuple[tuple[int, int], ...]:
    """Return `SIZES`, with the height or width that the model fixes in their place."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    fixed = dims[1].dim_value, dims[2].dim_value
    return tuple(dict.fromkeys((fixed[0] or h, fixed[1] or w) for h, w in SIZES))


def _fixed_batch(proto: onnx.ModelProto) -> int:
    return proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1


def _input(session: ort.InferenceSession) -> str:
    return str(session.get_inputs()[0].name)
