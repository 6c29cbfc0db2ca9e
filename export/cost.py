"""Counts what a graph computes and moves at a given size: a lower bound on every runtime's time.

It counts the operators that multiply matrices (Conv, MatMul, Gemm): their multiply-accumulates,
and the bytes that each reads and writes once. Everything between them (sums, relus, norms,
reshapes) counts as fused into them, at no cost. No runtime quite reaches that, so the result is a
lower bound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import shape_inference

from drsformer.errors import ExportError

from .graph import load_onnx

FLOAT32_BYTES = 4

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cost:
    """What one part of a graph computes and moves.

    Attributes:
        part: stage of the network, or kind of operator.
        operators: number of operators that multiply matrices.
        macs: their multiply-accumulates.
        weight_bytes: size of their weights, each read once.
        feature_bytes: size of the features that each of them reads and writes once, in float32.
    """

    part: str
    operators: int
    macs: int
    weight_bytes: int
    feature_bytes: int


@dataclass(frozen=True)
class Costs:
    """What a graph computes and moves at one size.

    Attributes:
        shape: shape of the input, (N, 3, H, W).
        by_stage: cost of each stage, in the order of the network.
        by_kind: cost of each operator and kernel, the most multiply-accumulates first.
        total: cost of the whole graph.
    """

    shape: tuple[int, int, int, int]
    by_stage: tuple[Cost, ...]
    by_kind: tuple[Cost, ...]
    total: Cost


def cost_of_file(path: Path, *, batch: int = 1, height: int = 256, width: int = 256) -> Costs:
    """Count what an ONNX file computes and moves.

    Args:
        path: an ONNX file with one input (N, 3, H, W).
        batch: number of images in the input.
        height: height of the input, pixels, a multiple of 8.
        width: width of the input, pixels, a multiple of 8.

    Returns:
        The costs by stage and by kind of operator.

    Raises:
        ExportError: the file is not ONNX, has other inputs, was exported for another size, or
            computes sizes while it runs, so that they cannot be inferred.
    """
    proto = load_onnx(path)
    shape = (batch, 3, height, width)
    _fix_input(proto, shape, path)
    del proto.graph.value_info[
        :
    ]  # their symbolic sizes would take precedence over the inferred ones
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    shapes = _shapes(inferred.graph)
    rows = list(_rows(inferred.graph, shapes, path))
    by_kind = sorted(_summed(rows, key=1), key=lambda cost: -cost.macs)
    total = _sum("total", [cost for _, _, cost in rows])
    return Costs(shape, tuple(_summed(rows, key=0)), tuple(by_kind), total)


def _fix_input(proto: onnx.ModelProto, shape: tuple[int, ...], path: Path) -> None:
    """Fix the size of the only input."""
    inputs = proto.graph.input
    dims = inputs[0].type.tensor_type.shape.dim if len(inputs) == 1 else ()
    if len(dims) != len(shape):
        raise ExportError(f"{path} has no single input of (N, 3, H, W); its cost is not counted")
    for name, dim, size in zip(("batch", "channels", "height", "width"), dims, shape, strict=True):
        if dim.dim_value not in (0, size):
            raise ExportError(
                f"{path} was exported for a {name} of {dim.dim_value}, not {size}; "
                "give the size that it was exported for"
            )
        dim.dim_value = size


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by name; a size that is not known is 0."""
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
        size = {name: FLOAT32_BYTES * prod(shape) for name, shape in zip(names, known, strict=True)}
        fixed = sum(size[name] for name in names if name in weights)
        cost = Cost("", 1, _macs(node, shapes), fixed, sum(size.values()) - fixed)
        yield node.name.split(".")[0], _kind(node, shapes), cost


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Return the number of outputs times the number of products summed for each."""
    if node.op_type == "Conv":
        summed = prod(shapes[node.input[1]][1:])
    elif node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        summed = shapes[node.input[0]][0 if transposed else 1]
    else:
        summed = shapes[node.input[0]][-1]
    return summed * prod(shapes[node.output[0]])


def _kind(node: onnx.NodeProto, shapes: Shapes) -> str:
    """Return the operator with its kernel, such as "Conv 5x5 depthwise" or "MatMul"."""
    if node.op_type != "Conv":
        return node.op_type
    _, inputs, *kernel = shapes[node.input[1]]
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    grouping = "" if groups == 1 else " depthwise" if inputs == 1 else " grouped"
    return f"Conv {'x'.join(map(str, kernel))}{grouping}"


def _summed(rows: list[tuple[str, str, Cost]], key: int) -> list[Cost]:
    """Sum the costs of each stage (key 0) or kind (key 1), in order of first appearance."""
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
