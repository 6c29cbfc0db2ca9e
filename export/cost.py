"""What a graph has to compute and to move at a size: the floor under any runtime's time.

Counted are the operators that multiply matrices (convolutions, MatMul, Gemm): their
multiply-accumulates, and the bytes that each reads and writes once. Everything between them
(sums, relus, norms, reshapes) is taken for fused into them, at no cost, which no runtime quite
reaches: hence a floor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import shape_inference

from drsformer.errors import ExportError

from .graph import load_onnx

BYTES = 4  # of a float32

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cost:
    """The floor of one part of a graph.

    Attributes:
        part: the stage of the network, or the kind of operator.
        operators: how many multiply matrices.
        macs: multiply-accumulates.
        weight_bytes: read once.
        feature_bytes: of inputs read and outputs written by each operator, float32.
    """

    part: str
    operators: int
    macs: int
    weight_bytes: int
    feature_bytes: int


@dataclass(frozen=True)
class Costs:
    """The floor of a graph at one size.

    Attributes:
        shape: of the input, (N, 3, H, W).
        by_stage: in the order of the network.
        by_kind: by operator and kernel, the most multiply-accumulates first.
        total: of everything.
    """

    shape: tuple[int, int, int, int]
    by_stage: tuple[Cost, ...]
    by_kind: tuple[Cost, ...]
    total: Cost


def cost_of_file(path: Path, *, batch: int = 1, height: int = 256, width: int = 256) -> Costs:
    """Count what an ONNX file computes and moves.

    Args:
        path: an ONNX file with one input (N, 3, H, W).
        batch: images at once.
        height: of the input, pixels; a multiple of 8.
        width: likewise.

    Returns:
        The costs by stage and by kind of operator.

    Raises:
        ExportError: not an ONNX file, not of such an input, exported for another size, or a
            graph whose sizes cannot be inferred (one that computes them while it runs).
    """
    proto = load_onnx(path)
    shape = (batch, 3, height, width)
    _fix_input(proto, shape, path)
    del proto.graph.value_info[:]  # symbolic sizes would win over the inferred ones
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    shapes = _shapes(inferred.graph)
    rows = list(_rows(inferred.graph, shapes, path))
    by_kind = sorted(_summed(rows, key=1), key=lambda cost: -cost.macs)
    total = _sum("total", [cost for _, _, cost in rows])
    return Costs(shape, tuple(_summed(rows, key=0)), tuple(by_kind), total)


def _fix_input(proto: onnx.ModelProto, shape: tuple[int, ...], path: Path) -> None:
    """Give the only input its size."""
    inputs = proto.graph.input
    dims = inputs[0].type.tensor_type.shape.dim if len(inputs) == 1 else ()
    if len(dims) != len(shape):
        raise ExportError(f"{path} has no single input of (N, 3, H, W); its cost is not counted")
    for name, dim, size in zip(("batch", "channels", "height", "width"), dims, shape, strict=True):
        if dim.dim_value not in (0, size):
            raise ExportError(
                f"{path} was exported for a {name} of {dim.dim_value}, not {size}; ask for that"
            )
        dim.dim_value = size


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return every known shape by tensor name; sizes that are unknown are 0."""
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _rows(graph: onnx.GraphProto, shapes: Shapes, path: Path) -> Iterator[tuple[str, str, Cost]]:
    """Yield (stage, kind, cost) of each operator that multiplies matrices."""
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        names = [name for name in (*node.input, node.output[0]) if name]
        known = [shapes.get(name, (0,)) for name in names]
        if not all(map(prod, known)):
            raise ExportError(
                f"{path}: the size of {node.name or node.output[0]} cannot be inferred; the cost "
                "of a graph that computes sizes while it runs (--plain) is unknown"
            )
        size = {name: BYTES * prod(shape) for name, shape in zip(names, known, strict=True)}
        fixed = sum(size[name] for name in names if name in weights)
        cost = Cost("", 1, _macs(node, shapes), fixed, sum(size.values()) - fixed)
        yield node.name.split(".")[0], _kind(node, shapes), cost


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Return outputs times what is summed for each."""
    if node.op_type == "Conv":
        summed = prod(shapes[node.input[1]][1:])
    elif node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        summed = shapes[node.input[0]][0 if transposed else 1]
    else:
        summed = shapes[node.input[0]][-1]
    return summed * prod(shapes[node.output[0]])


def _kind(node: onnx.NodeProto, shapes: Shapes) -> str:
    """Return "Conv 1x1", "Conv 5x5 depthwise", "MatMul"."""
    if node.op_type != "Conv":
        return node.op_type
    _, inputs, *kernel = shapes[node.input[1]]
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    grouping = "" if groups == 1 else " depthwise" if inputs == 1 else " grouped"
    return f"Conv {'x'.join(map(str, kernel))}{grouping}"


def _summed(rows: list[tuple[str, str, Cost]], key: int) -> list[Cost]:
    """Add up the costs of each stage (key 0) or kind (key 1), in the order they come."""
    parts: dict[str, list[Cost]] = {}
    for row in rows:
        parts.setdefault((row[0], row[1])[key], []).append(row[2])
    return [_sum(part, costs) for part, costs in parts.items()]


def _sum(part: str, costs: list[Cost]) -> Cost:
    return Cost(
        part,
        operators=sum(cost.operators for cost in costs),
        macs=sum(cost.macs for cost in costs),
        weight_bytes=sum(cost.weight_bytes for cost in costs),
        feature_bytes=sum(cost.feature_bytes for cost in costs),
    )
