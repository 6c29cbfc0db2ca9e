"""The few operators that the deployment form uses, and how PyTorch computes them.

The deployment form (`deployment.py`) is written once, with `Ops`. `TorchOps` computes it, to check
it against the plain network and to train it; `OnnxOps` (`onnx_ops.py`) records it, to export it.
So the form that is checked is the form that is exported.

Names and meanings are those of the ONNX operators. T is the type of a tensor: a `Tensor` that has
numbers, or an `onnx_ir.Value` that has only a name.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True)
class Conv:
    """The weights and settings of a 2-D convolution, whatever module they come from.

    Attributes:
        weight: (O, I / groups, kernel, kernel).
        bias: (O,) or None.
        padding: zeros added on each of the four sides, pixels.
        stride: step, pixels.
        groups: as in `torch.nn.Conv2d`.
        dilation: distance between two weights of the kernel, pixels.
    """

    weight: Tensor
    bias: Tensor | None = None
    padding: int = 0
    stride: int = 1
    groups: int = 1
    dilation: int = 1


def conv_from_module(module: nn.Module) -> Conv:
    """Return the weights and settings of a square, zero-padded convolution module."""
    assert isinstance(module, nn.Conv2d) and not isinstance(module.padding, str)
    return Conv(
        weight=module.weight,
        bias=module.bias,
        padding=module.padding[0],
        stride=module.stride[0],
        groups=module.groups,
        dilation=module.dilation[0],
    )


def split_outputs(conv: Conv, parts: int) -> tuple[Conv, ...]:
    """Split a dense or depthwise convolution into `parts`, each with its share of the outputs."""
    depthwise = conv.groups == conv.weight.shape[0]
    assert conv.groups == 1 or depthwise
    weights = conv.weight.chunk(parts)
    biases = [None] * parts if conv.bias is None else conv.bias.chunk(parts)
    return tuple(
        replace(conv, weight=weight, bias=bias, groups=conv.groups // parts if depthwise else 1)
        for weight, bias in zip(weights, biases, strict=True)
    )


class Ops(Protocol[T]):
    """The operators that a deployment form may use; all are in the standard ONNX set."""

    def scope(self, name: str) -> AbstractContextManager[None]: ...
    def mark(self, stage: str, x: T) -> T: ...
    def constant(self, name: str, value: Tensor) -> T: ...
    def conv(self, name: str, x: T, conv: Conv) -> T: ...
    def relu(self, x: T) -> T: ...
    def add(self, a: T, b: T) -> T: ...
    def sub(self, a: T, b: T) -> T: ...
    def mul(self, a: T, b: T) -> T: ...
    def scale(self, x: T, factor: T) -> T: ...
    def div(self, a: T, b: T) -> T: ...
    def reciprocal(self, x: T) -> T: ...
    def sqrt(self, x: T) -> T: ...
    def at_least(self, x: T, floor: float) -> T: ...
    def matmul(self, a: T, b: T) -> T: ...
    def linear(self, name: str, x: T, weight: Tensor, bias: Tensor) -> T: ...
    def transpose(self, x: T, order: Sequence[int]) -> T: ...
    def channel_mean(self, x: T, channels: int, plus: float = 0.0) -> T: ...
    def spatial_mean(self, x: T) -> T: ...
    def sum(self, x: T, axis: int, *, keep: bool) -> T: ...
    def spatial_norm(self, x: T) -> T: ...
    def softmax(self, x: T) -> T: ...
    def top_k(self, x: T, count: int) -> T: ...
    def where_at_least(self, x: T, threshold: T, value: T) -> T: ...
    def gather_column(self, x: T, indices: Sequence[int]) -> T: ...
    def split(self, x: T, sizes: Sequence[int], axis: int) -> list[T]: ...
    def concat(self, xs: Sequence[T]) -> T: ...
    def reshape(self, x: T, shape: Sequence[int]) -> T: ...
    def reshape_like(self, x: T, other: T) -> T: ...
    def depth_to_space(self, x: T) -> T: ...
    def average_pool_3x3(self, x: T) -> T: ...


@dataclass
class TorchOps:
    """Computes the operators with PyTorch, in the dtype of the tensors given.

    Attributes:
        stages: outputs by stage name, filled as the network runs.
    """

    stages: dict[str, Tensor] = field(default_factory=dict)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Do nothing: names matter only in a graph."""
        yield

    def mark(self, stage: str, x: Tensor) -> Tensor:
        """Remember `x` as the output of a stage."""
        self.stages[stage] = x
        return x

    def constant(self, name: str, value: Tensor) -> Tensor:
        return value

    def conv(self, name: str, x: Tensor, conv: Conv) -> Tensor:
        return F.conv2d(
            x, conv.weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
        )

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def sub(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def scale(self, x: Tensor, factor: Tensor) -> Tensor:
        """Multiply by factors that broadcast to the shape of `x`; the result has that shape."""
        return x * factor

    def div(self, a: Tensor, b: Tensor) -> Tensor:
        return a / b

    def reciprocal(self, x: Tensor) -> Tensor:
        return x.reciprocal()

    def sqrt(self, x: Tensor) -> Tensor:
        return x.sqrt()

    def at_least(self, x: Tensor, floor: float) -> Tensor:
        return x.clamp_min(floor)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def linear(self, name: str, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(x, weight, bias)

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Put the axes into the given order."""
        return x.permute(*order)

    def channel_mean(self, x: Tensor, channels: int, plus: float = 0.0) -> Tensor:
        """Average over the channels of (B, C, ...), which become one, and add `plus`."""
        return x.mean(1, keepdim=True) + plus

    def spatial_mean(self, x: Tensor) -> Tensor:
        """Average over height and width, which stay with size 1."""
        return x.mean((2, 3), keepdim=True)

    def sum(self, x: Tensor, axis: int, *, keep: bool) -> Tensor:
        """Sum over one axis, which stays with size 1 if `keep`, else is removed."""
        return x.sum(axis, keepdim=keep)

    def spatial_norm(self, x: Tensor) -> Tensor:
        """Return the L2 norm over height and width, which stay with size 1."""
        return torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def top_k(self, x: Tensor, count: int) -> Tensor:
        """Return the `count` largest entries along the last axis, largest first."""
        return x.topk(count, dim=-1, sorted=True).values

    def where_at_least(self, x: Tensor, threshold: Tensor, value: Tensor) -> Tensor:
        """Return `value` where x >= threshold, else 0."""
        return torch.where(x >= threshold, value, 0.0)

    def gather_column(self, x: Tensor, indices: Sequence[int]) -> Tensor:
        """Pick n entries along the last axis; the result is (..., n, 1)."""
        return x[..., list(indices), None]

    def split(self, x: Tensor, sizes: Sequence[int], axis: int) -> list[Tensor]:
        return list(torch.split(x, list(sizes), axis))

    def concat(self, xs: Sequence[Tensor]) -> Tensor:
        """Join along channels."""
        return torch.cat(list(xs), dim=1)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Reshape as ONNX does: 0 copies the input's size, one -1 is inferred."""
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    def reshape_like(self, x: Tensor, other: Tensor) -> Tensor:
        return x.reshape(other.shape)

    def depth_to_space(self, x: Tensor) -> Tensor:
        """Shuffle pixels by 2 (DepthToSpace, mode CRD)."""
        return F.pixel_shuffle(x, 2)

    def average_pool_3x3(self, x: Tensor) -> Tensor:
        """Average over 3x3 pixels, stride 1; padding does not count in the mean."""
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
