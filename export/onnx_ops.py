"""Records the deployment form as an ONNX graph instead of computing it.

Nodes and tensors have the names of the modules that they come from, so that a reader of the graph,
or of an error about it, finds the module. Shapes are never computed in the graph: a Reshape copies
sizes (0), infers one (-1), or takes the whole shape of another tensor.

Feature maps are declared with their symbolic shape, such as batch x 96 x height_2 x width_2, where
height_2 is half the input's height. Shape inference alone loses the symbols at the first
convolution; ONNX Runtime could then not prove two shapes equal, and would not fuse
Conv + Add + Relu.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape
from torch import Tensor

from .graph import STAGE_PREFIX
from .ops import Conv

REDUCTION_OPSET = 18  # from here on, all reductions take their axes as an input, like ReduceSum

Attribute = int | str | Sequence[int]


class OnnxOps:
    """`Ops` for `onnx_ir.Value`: every call adds nodes to one graph."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.tape = Tape()
        self._scopes: list[str] = []
        self._constants: dict[str, ir.Value] = {}
        self._shapes: dict[str, ir.Value] = {}
        self._used: dict[str, int] = {}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of the nodes that are recorded inside the block with `name`."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def mark(self, stage: str, x: ir.Value) -> ir.Value:
        """Name a tensor as the output of a stage."""
        x.name = STAGE_PREFIX + stage
        return x

    def constant(self, name: str, value: Tensor) -> ir.Value:
        return self._initializer(self._path(name), value.detach().cpu().float().numpy())

    def conv(self, name: str, x: ir.Value, conv: Conv) -> ir.Value:
        inputs = [x, self.constant(f"{name}.weight", conv.weight)]
        if conv.bias is not None:
            inputs.append(self.constant(f"{name}.bias", conv.bias))
        attributes: dict[str, Attribute] = {
            "kernel_shape": list(conv.weight.shape[2:]),
            "pads": [conv.padding] * 4,
            "strides": [conv.stride] * 2,
            "dilations": [conv.dilation] * 2,
            "group": conv.groups,
        }
        made = self._node("Conv", inputs, attributes, name=name)
        factor = Fraction(1, conv.stride)
        return self._resized(made, x, conv.weight.shape[0], factor=factor)

    def relu(self, x: ir.Value) -> ir.Value:
        return self._like(self._node("Relu", [x]), x)

    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self._like(self._node("Add", [a, b]), a)

    def sub(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self._like(self._node("Sub", [a, b]), a)

    def mul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self._like(self._node("Mul", [a, b]), a)

    def scale(self, x: ir.Value, factor: ir.Value) -> ir.Value:
        return self._like(self._node("Mul", [x, factor]), x)

    def div(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self._node("Div", [a, b])

    def reciprocal(self, x: ir.Value) -> ir.Value:
        return self._node("Reciprocal", [x])

    def sqrt(self, x: ir.Value) -> ir.Value:
        return self._node("Sqrt", [x])

    def at_least(self, x: ir.Value, floor: float) -> ir.Value:
        return self._node("Max", [x, self._scalar(floor)])

    def matmul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self._node("MatMul", [a, b])

    def linear(self, name: str, x: ir.Value, weight: Tensor, bias: Tensor) -> ir.Value:
        parameters = [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self._node("Gemm", [x, *parameters], {"transB": 1}, name=name)

    def transpose(self, x: ir.Value, order: Sequence[int]) -> ir.Value:
        return self._node("Transpose", [x], {"perm": list(order)})

    def channel_mean(self, x: ir.Value, channels: int, plus: float = 0.0) -> ir.Value:
        """Record a ReduceMean over (B, C, H, W), a convolution with weights 1/C over (B, C, N)."""
        if x.shape is not None:
            mean = self._reduced("ReduceMean", x, 1)
            return self._node("Add", [mean, self._scalar(plus)]) if plus else mean
        row = np.full((1, channels, 1), 1 / channels, np.float32)
        inputs = [x, self._initializer(f"average.{channels}", row)]
        if plus:
            inputs.append(self._initializer(f"plus.{plus:g}", np.array([plus], np.float32)))
        return self._node("Conv", inputs, {"kernel_shape": [1]})

    def spatial_mean(self, x: ir.Value) -> ir.Value:
        return self._over_pixels(x, "ReduceMean", "ReduceMean")

    def sum(self, x: ir.Value, axis: int, *, keep: bool) -> ir.Value:
        return self._reduced("ReduceSum", x, axis, keep=keep)

    def spatial_norm(self, x: ir.Value) -> ir.Value:
        # OpenVINO merges two ReduceL2 into one, which loses digits like any long sum
        return self.sqrt(self._over_pixels(x, "ReduceSumSquare", "ReduceSum"))

    def softmax(self, x: ir.Value) -> ir.Value:
        return self._node("Softmax", [x], {"axis": -1})

    def top_k(self, x: ir.Value, count: int) -> ir.Value:
        """Record a sorted TopK; K is an initializer, as TensorRT requires."""
        attributes = {"axis": -1, "largest": 1, "sorted": 1}
        values, _ = self._nodes("TopK", [x, self._integers([count])], attributes, outputs=2)
        return values

    def where_at_least(self, x: ir.Value, threshold: ir.Value, value: ir.Value) -> ir.Value:
        kept = self._node("GreaterOrEqual", [x, threshold])
        return self._node("Where", [kept, value, self._scalar(0.0)])

    def gather_column(self, x: ir.Value, indices: Sequence[int]) -> ir.Value:
        """Record a Gather whose indices are a column, so that its output is one too."""
        name = "int64.column." + ".".join(map(str, indices))
        column = self._initializer(name, np.array(list(indices), np.int64)[:, None])
        return self._node("Gather", [x, column], {"axis": -1})

    def split(self, x: ir.Value, sizes: Sequence[int], axis: int) -> list[ir.Value]:
        return self._nodes("Split", [x, self._integers(sizes)], {"axis": axis}, outputs=len(sizes))

    def concat(self, xs: Sequence[ir.Value]) -> ir.Value:
        made = self._node("Concat", list(xs), {"axis": 1})
        return self._resized(made, xs[0], sum(_channels(x) for x in xs))

    def reshape(self, x: ir.Value, shape: Sequence[int]) -> ir.Value:
        return self._node("Reshape", [x, self._integers(shape)])

    def reshape_like(self, x: ir.Value, other: ir.Value) -> ir.Value:
        key = str(other.shape)  # tensors of one symbolic shape share one Shape node
        if key not in self._shapes:
            self._shapes[key] = self._node("Shape", [other])
        return self._like(self._node("Reshape", [x, self._shapes[key]]), other)

    def depth_to_space(self, x: ir.Value) -> ir.Value:
        made = self._node("DepthToSpace", [x], {"blocksize": 2, "mode": "CRD"})
        return self._resized(made, x, _channels(x) // 4, factor=Fraction(2))

    def average_pool_3x3(self, x: ir.Value) -> ir.Value:
        attributes: dict[str, Attribute] = {
            "kernel_shape": [3, 3],
            "pads": [1] * 4,
            "count_include_pad": 0,
        }
        return self._like(self._node("AveragePool", [x], attributes), x)

    def _like(self, made: ir.Value, x: ir.Value) -> ir.Value:
        """Declare that a tensor has the type and shape of another; return it."""
        made.shape, made.type = x.shape, x.type
        return made

    def _resized(
        self, made: ir.Value, x: ir.Value, channels: int, *, factor: Fraction = Fraction(1)
    ) -> ir.Value:
        """Declare a tensor's shape: that of `x`, with other channels, and sides times `factor`."""
        assert x.shape is not None
        batch, _, height, width = x.shape
        made.shape = ir.Shape([batch, channels, _scaled(height, factor), _scaled(width, factor)])
        made.type = x.type
        return made

    def _over_pixels(self, x: ir.Value, over_width: str, over_height: str) -> ir.Value:
        """Reduce over the width, then over the height, because one long sum loses digits."""
        return self._reduced(over_height, self._reduced(over_width, x, 3), 2)

    def _reduced(self, op_type: str, x: ir.Value, axis: int, *, keep: bool = True) -> ir.Value:
        """Reduce over one axis, which stays with size 1 if `keep`, else is removed."""
        if self.opset < REDUCTION_OPSET and op_type != "ReduceSum":
            return self._node(op_type, [x], {"axes": [axis], "keepdims": int(keep)})
        return self._node(op_type, [x, self._integers([axis])], {"keepdims": int(keep)})

    def _node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Attribute] | None = None,
        *,
        name: str | None = None,
    ) -> ir.Value:
        return self._nodes(op_type, inputs, attributes, outputs=1, name=name)[0]

    def _nodes(
        self,
        op_type: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Attribute] | None = None,
        *,
        outputs: int,
        name: str | None = None,
    ) -> list[ir.Value]:
        path = self._unique(self._path(name or op_type))
        made = self.tape.op_multi_out(op_type, inputs, attributes, num_outputs=outputs, name=path)
        for i, value in enumerate(made):
            value.name = path if outputs == 1 else f"{path}.{i}"
        return list(made)

    def _path(self, name: str) -> str:
        return ".".join([*self._scopes, name])

    def _unique(self, path: str) -> str:
        """Append a number to the second and later uses of a name."""
        count = self._used[path] = self._used.get(path, 0) + 1
        return path if count == 1 else f"{path}_{count}"

    def _initializer(self, name: str, array: np.ndarray) -> ir.Value:
        if name not in self._constants:
            tensor = ir.tensor(np.ascontiguousarray(array), name=name)
            self._constants[name] = self.tape.initializer(tensor, name=name)
        return self._constants[name]

    def _scalar(self, value: float) -> ir.Value:
        return self._initializer(f"float.{value:g}", np.array(value, np.float32))

    def _integers(self, values: Sequence[int]) -> ir.Value:
        name = "int64." + ".".join(map(str, values))
        return self._initializer(name, np.array(list(values), np.int64))


def _scaled(size: int | ir.SymbolicDim, factor: Fraction) -> int | str:
    """Scale a size: 64 by 1/2 is 32, "height" by 1/2 is "height_2", which by 2 is "height"."""
    if isinstance(size, int):
        return int(size * factor)
    name, _, divisor = str(size.value).partition("_")
    scaled = int(int(divisor or 1) / factor)
    return name if scaled == 1 else f"{name}_{scaled}"


def _channels(x: ir.Value) -> int:
    assert x.shape is not None
    channels = x.shape[1]
    assert isinstance(channels, int)
    return channels
