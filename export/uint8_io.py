"""Puts scaling, layout, clamping and rounding into the graph: 8-bit pixels in, 8-bit pixels out.

An embedder then copies pixels and nothing else. Only padding stays outside: reflection computed
from the shape does not build in TensorRT-RTX.

Rules:
    1. Before the network: Cast to float32, Div by 255, Transpose to NCHW. The cast comes first:
       TensorRT knows uint8 as the type of inputs and outputs only.
    2. Behind it: Clip to [0, 1], Mul by 255, Round half to even, Transpose to NHWC, Cast to uint8.
    3. These compute in float32 whatever the network computes in, as the runtime does it outside:
       the pixels are equal to the float32 model's, bit by bit.
Requires:
    a model with the float32 contract.
Ensures:
    `without_pixel_io` gives back the model it was made from.
"""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

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
from .graph import metadata_of, set_metadata

PREFIX = "pixels."
LEVELS = 255.0
SIZES = ((64, 64), (48, 80), (8, 8))  # height, width, pixels; tried by the check


def has_pixel_io(proto: onnx.ModelProto) -> bool:
    """Whether a model takes and gives uint8 pixels."""
    return any(node.name.startswith(PREFIX) for node in proto.graph.node)


def with_pixel_io(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that takes and gives uint8 (N, H, W, 3); `proto` is not changed.

    Raises:
        ExportError: the model does not have the float32 contract.
    """
    metadata = metadata_of(proto)
    contract = contract_from_json(metadata.get(METADATA_KEY, "{}"), source="the model")
    if contract != CONTRACT:
        raise ExportError(
            f"a model with {contract.dtype} input and output cannot get uint8 ones; give one with "
            "float32 ones"
        )
    model = ir.from_proto(proto)
    _pixels_in(model.graph)
    _pixels_out(model.graph)
    return _with_contract(ir.to_proto(model), "uint8")


def without_pixel_io(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float32 model that `with_pixel_io` was given; any other one as it is."""
    if not has_pixel_io(proto):
        return proto
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    graph = made.graph
    inner = [node for node in graph.node if not node.name.startswith(PREFIX)]
    del graph.node[:]
    graph.node.extend(inner)
    constants = [t for t in graph.initializer if not t.name.startswith(PREFIX)]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    kept = [v for v in graph.value_info if not v.name.startswith(PREFIX)]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    _rename(graph, _INNER_INPUT, CONTRACT.input_name)
    _rename(graph, _INNER_OUTPUT, CONTRACT.output_name)
    for value in (graph.input[0], graph.output[0]):
        sizes = [value.type.tensor_type.shape.dim[i] for i in (0, 3, 1, 2)]
        shape = [dim.dim_param or dim.dim_value for dim in sizes]
        value.CopyFrom(
            onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, shape)
        )
    return _with_contract(made, "float32")


_INNER_INPUT, _INNER_OUTPUT = f"{PREFIX}input", f"{PREFIX}output"


def _pixels_in(graph: ir.Graph) -> None:
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
    for user, index in list(inner.uses()):
        user.replace_input_with(index, made)
    made.name, made.shape, made.type = _INNER_INPUT, inner.shape, inner.type
    graph.insert_before(graph[0], [cast, scaled, planes])


def _pixels_out(graph: ir.Graph) -> None:
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


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def _with_contract(proto: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    set_metadata(proto, metadata_of(proto) | {METADATA_KEY: CONTRACTS[dtype].to_json()})
    onnx.checker.check_model(proto, full_check=True)
    return proto


def check_pixels_agree(proto: onnx.ModelProto, source: str) -> None:
    """Run both on noise in ONNX Runtime and compare every pixel.

    Args:
        proto: a model with uint8 input and output, that ONNX Runtime can run on a CPU.
        source: its name, for the error.

    Raises:
        AgreementError: a pixel differs.
    """
    rng = np.random.default_rng(0)
    with_pixels, without = cpu_session(proto), cpu_session(without_pixel_io(proto))
    for height, width in _sizes(proto):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        batch = _fixed_batch(proto)
        (pixels,) = with_pixels.run(None, {_input(with_pixels): np.stack([image] * batch)})
        scaled = np.concatenate([input_from_image(image)] * batch)
        (output,) = without.run(None, {_input(without): scaled})
        expected = image_from_output(output[:1], image)
        if not np.array_equal(pixels[0], expected):
            most = int(np.abs(pixels[0].astype(int) - expected).max())
            raise AgreementError(
                f"{source}: pixels differ by up to {most} levels from the float32 model's at "
                f"{height}x{width}; nothing was written, please report this"
            )


def _sizes(proto: onnx.ModelProto) -> tuple[tuple[int, int], ...]:
    """Return the sizes to try: the fixed ones, where the model has them."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    fixed = dims[1].dim_value, dims[2].dim_value
    return tuple(dict.fromkeys((fixed[0] or h, fixed[1] or w) for h, w in SIZES))


def _fixed_batch(proto: onnx.ModelProto) -> int:
    return proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1


def _input(session: ort.InferenceSession) -> str:
    return str(session.get_inputs()[0].name)
