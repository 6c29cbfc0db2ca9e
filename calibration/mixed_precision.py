"""Mixed precision: gives every tensor of a float32 graph an explicit type, low or float32.

The graph alone then says in which type a runtime computes. TensorRT 11 takes it from nowhere else.

Rules:
    1. A node computes in the low type unless it is kept in float32. Its float inputs are cast to
       the type it computes in, by one Cast for all nodes that read the tensor in that type.
    2. A node that only moves values (`MOVES`) has the type of its input.
    3. Weights are stored in the type of the nodes that read them, rounded to nearest.
    4. Inputs and outputs stay float32 unless the low type is asked for.
Requires:
    a graph whose float tensors are all float32, without subgraphs.
"""

import json
from collections import Counter
from collections.abc import Collection

import numpy as np
import onnx
import onnx_ir as ir

from drsformer.errors import ExportError
from drsformer.export.graph import PRECISION_KEY, check_valid, metadata_of, set_metadata
from drsformer.export.uint8_io import has_uint8_io

from .precision_rules import MOVES, LowPrecision, kept_nodes

FLOAT = ir.DataType.FLOAT
LOW_DTYPES = {
    "fp16": ir.DataType.FLOAT16,
    "bf16": ir.DataType.BFLOAT16,
    "int8": ir.DataType.FLOAT16,  # of the nodes that are not quantised
    "fp8": ir.DataType.FLOAT16,
}
OPSETS = {"fp16": 18, "bf16": 22, "int8": 19, "fp8": 19}  # the first with all types needed


def fp16_from_fp32(proto: onnx.ModelProto, *, low_io: bool = False) -> onnx.ModelProto:
    """Return the float16 form of a float32 export, strongly typed; `proto` is not changed.

    Args:
        proto: a model that `drs-export onnx` wrote, in deployment form.
        low_io: make input and output float16 too; by default they stay float32.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
    """
    return mixed_precision_from_fp32(proto, "fp16", low_io=low_io)


def bf16_from_fp32(proto: onnx.ModelProto, *, low_io: bool = False) -> onnx.ModelProto:
    """Return the bfloat16 form, opset 22; see `fp16_from_fp32`."""
    return mixed_precision_from_fp32(proto, "bf16", low_io=low_io)


def mixed_precision_from_fp32(
    proto: onnx.ModelProto, precision: LowPrecision, *, low_io: bool = False
) -> onnx.ModelProto:
    """Apply the rules to a float32 model and write the precision into its metadata.

    Args:
        proto: a float32 model in deployment form; for "int8" and "fp8", with its quantisation.
        precision: the precision to convert to.
        low_io: see `fp16_from_fp32`.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
    """
    check_convertible(proto)
    raised = onnx.ModelProto()
    raised.CopyFrom(proto)
    _raise_opset(raised, OPSETS[precision])
    names = [kept.node for kept in kept_nodes(proto)]
    made = mixed_precision_graph(raised, LOW_DTYPES[precision], names, low_io=low_io)
    metadata = metadata_of(proto) | {PRECISION_KEY: precision}
    if low_io:
        _set_contract_dtype(metadata, made)
    set_metadata(made, metadata)
    check_valid(made, "the converted graph")
    return made


def check_convertible(proto: onnx.ModelProto, source: str = "the model") -> None:
    """Raise ExportError unless a model is float32, ours, and in deployment form."""
    metadata = metadata_of(proto)
    if PRECISION_KEY in metadata:
        raise ExportError(
            f"{source} is in {metadata[PRECISION_KEY]} already; convert the float32 file that "
            "`drs-export onnx` wrote"
        )
    if has_uint8_io(proto):
        raise ExportError(
            f"{source} takes uint8 pixels; convert the file that was exported with --io float32, "
            "and give --io uint8 there"
        )
    if metadata.get("form") != "deployed":
        raise ExportError(
            f"{source} is not in deployment form, whose parts are known by name; export it with "
            "`drs-export onnx`, without --plain"
        )
    parts = Counter(kept.part for kept in kept_nodes(proto))
    missing = {"scores", "selection", "norm", "final sum"} - set(parts)
    if missing:
        raise ExportError(
            f"{source} has no nodes named for {', '.join(sorted(missing))}: an older version made "
            "it; export it again"
        )


def mixed_precision_graph(
    proto: onnx.ModelProto, low: ir.DataType, kept: Collection[str], *, low_io: bool = False
) -> onnx.ModelProto:
    """Give every tensor of a graph an explicit type.

    Args:
        proto: a checked float32 model; it is not changed.
        low: FLOAT16 or BFLOAT16.
        kept: names of the nodes that compute in float32.
        low_io: make inputs and outputs of the low type too.

    Returns:
        The typed model, with the same opset and metadata.

    Raises:
        ExportError: a weight is beyond the low type's range.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    _MixedPrecision(model.graph, low, frozenset(kept), low_io=low_io).run()
    return ir.to_proto(model)


class _MixedPrecision:
    """One pass over one graph, in the order of computation."""

    def __init__(
        self, graph: ir.Graph, low: ir.DataType, kept: frozenset[str], *, low_io: bool
    ) -> None:
        self.graph, self.low, self.kept, self.low_io = graph, low, kept, low_io
        self.casts: dict[tuple[str, ir.DataType], ir.Value] = {}

    def run(self) -> None:
        if self.low_io:
            for value in self.graph.inputs:
                _set_type(value, self.low)
        for node in list(self.graph):
            self._type(node)
        for i, value in enumerate(self.graph.outputs):
            self._type_output(i, value)
        for name in [n for n, w in self.graph.initializers.items() if not w.uses()]:
            del self.graph.initializers[name]

    def _type(self, node: ir.Node) -> None:
        """Cast a node's float inputs to the type it computes in, and set that of its outputs."""
        wanted = self._compute_type(node)
        for i, value in enumerate(node.inputs):
            if value is not None and _is_float(value) and value.dtype != wanted:
                node.replace_input_with(i, self._as(value, wanted, before=node))
        for value in node.outputs:
            if value.dtype is None or _is_float(value):
                _set_type(value, wanted)

    def _compute_type(self, node: ir.Node) -> ir.DataType:
        if node.name in self.kept:
            return FLOAT
        if node.op_type in MOVES:
            types = {value.dtype for value in node.inputs if value is not None and _is_float(value)}
            return types.pop() if len(types) == 1 and None not in types else self.low  # type: ignore[return-value]
        return self.low

    def _as(self, value: ir.Value, dtype: ir.DataType, before: ir.Node) -> ir.Value:
        """Return a value in another type: a weight rounded now, or the output of a Cast."""
        assert value.name is not None
        key = value.name, dtype
        if key not in self.casts:
            made = self._rounded(value, dtype) if value.const_value else _cast(value, dtype, before)
            self.casts[key] = made
        return self.casts[key]

    def _rounded(self, weight: ir.Value, dtype: ir.DataType) -> ir.Value:
        assert weight.const_value is not None
        exact = weight.const_value.numpy()
        with np.errstate(over="ignore"):
            array = exact.astype(dtype.numpy())
        if not np.isfinite(array.astype(np.float32)).all():
            raise ExportError(
                f"{weight.name} holds {np.abs(exact).max():g}, beyond {dtype.name.lower()}; "
                "convert with --bf16, whose range is float32's"
            )
        name = f"{weight.name}.{_short(dtype)}"
        made = ir.Value(
            name=name,
            shape=weight.shape,
            type=ir.TensorType(dtype),
            const_value=ir.tensor(array, dtype=dtype, name=name),
        )
        self.graph.register_initializer(made)
        return made

    def _type_output(self, i: int, value: ir.Value) -> None:
        """Cast an output of the graph to the type asked for; it keeps its name."""
        wanted = self.low if self.low_io else FLOAT
        producer = value.producer()
        if value.dtype == wanted or producer is None:
            return
        name = value.name
        value.name = f"{name}.{_short(value.dtype)}"
        made = _cast(value, wanted, before=None, graph=self.graph)
        made.name = name
        self.graph.outputs[i] = made


def _cast(
    value: ir.Value, dtype: ir.DataType, before: ir.Node | None, graph: ir.Graph | None = None
) -> ir.Value:
    """Insert a Cast right behind the producer of a value, and name it after the value."""
    name = f"{value.name}.to_{_short(dtype)}"
    node = ir.node("Cast", [value], {"to": dtype.value}, name=name)
    made = node.outputs[0]
    made.name, made.shape, made.type = name, value.shape, ir.TensorType(dtype)
    producer = value.producer()
    if producer is not None and producer.graph is not None:
        producer.graph.insert_after(producer, node)
    elif before is not None and before.graph is not None:
        before.graph.insert_before(before, node)
    else:
        assert graph is not None
        graph.append(node)
    return made


def _is_float(value: ir.Value) -> bool:
    return value.dtype in (FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def _set_type(value: ir.Value, dtype: ir.DataType) -> None:
    value.type = ir.TensorType(dtype)


def _short(dtype: ir.DataType | None) -> str:
    return {"FLOAT": "f32", "FLOAT16": "f16", "BFLOAT16": "bf16"}[dtype.name if dtype else "FLOAT"]


def _raise_opset(proto: onnx.ModelProto, opset: int) -> None:
    """Declare a later opset; none of our operators changed its meaning after opset 18."""
    for declared in proto.opset_import:
        if declared.domain == "":
            declared.version = max(declared.version, opset)
    needed = onnx.helper.find_min_ir_version_for(proto.opset_import)
    proto.ir_version = max(proto.ir_version, needed)


def _set_contract_dtype(metadata: dict[str, str], made: onnx.ModelProto) -> None:
    contract = json.loads(metadata["contract"])
    dtype = made.graph.input[0].type.tensor_type.elem_type
    contract["dtype"] = onnx.TensorProto.DataType.Name(dtype).lower()
    metadata["contract"] = json.dumps(contract, sort_keys=True)
