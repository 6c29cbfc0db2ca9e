"""The eight experts of an MEFC step become chains of convolutions over gated inputs.

Rules:
    1. The last 1x1 convolution of an expert and its columns of `_out` multiply into one matrix.
       The average pool has no convolution, so its columns stay as they are.
    2. The depthwise convolutions of the k = 1 separable expert are diagonal matrices and fold
       into the neighbouring 1x1 convolutions.
    3. An expert without biases is positively homogeneous: gate * expert(x) = expert(gate * x)
       for gate >= 0, and gates are never negative, because they come out of a softmax. So an
       expert is convolutions alone, its weights do not depend on the image, and each sum directly
       follows a convolution: runtimes keep their own layout and fuse the sums
       (docs/decisions.md tells what this replaced, with figures).
    4. relu(relu(y) + x) = relu(y) + x where x >= 0, so the outer relu is left out. x is the
       output of a relu (preprocess) or of the previous step, which is a sum of such outputs.
Requires:
    experts as in `ExpertStep`: no biases; neither the gates nor the step's input are negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from drsformer.errors import ExportError
from drsformer.model import (
    EXPERT_COUNT,
    MEFC,
    MEFC_STEPS,
    DilatedExpert,
    ExpertStep,
    SeparableExpert,
)

from ..ops import Conv, Ops, T, conv_from_module


@dataclass(frozen=True)
class FoldedExpert:
    """An expert and its columns of `_out`.

    Attributes:
        convs: the convolutions, in order; the last is 1x1 and gives the step's C channels.
        relu_after: index of the convolution that a relu follows, or -1.
        pooled: whether a 3x3 average pool comes first.
    """

    convs: tuple[Conv, ...]
    relu_after: int = -1
    pooled: bool = False

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        if self.pooled:
            x = ops.average_pool_3x3(x)
        *inner, mixing = self.convs
        for i, conv in enumerate(inner):
            x = ops.conv(str(i), x, conv)
            x = ops.relu(x) if i == self.relu_after else x
        return ops.conv("_out", x, mixing)


@dataclass(frozen=True)
class FoldedStep:
    """An expert step: the sum of eight folded experts, a relu, and the input added to it."""

    experts: tuple[FoldedExpert, ...]

    def __call__(self, ops: Ops[T], x: T, gates: Sequence[T]) -> T:
        """Return the step's result.

        Args:
            ops: the operators to compute with.
            x: (B, C, H, W), not negative.
            gates: eight tensors (B, 1, 1, 1), not negative.
        """
        total: T | None = None
        for i, (expert, gate) in enumerate(zip(self.experts, gates, strict=True)):
            with ops.scope(f"_ops.{i}"):
                part = expert(ops, ops.scale(x, gate))
                total = part if total is None else ops.add(part, total)
        assert total is not None
        return ops.add(ops.relu(total), x)


@dataclass(frozen=True)
class Linear:
    """Weight (out, in) and bias (out,) of a fully connected layer."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class FoldedMEFC:
    """An MEFC: gates from the average feature, then four folded steps."""

    linears: tuple[Linear, Linear]
    preprocess: Conv
    steps: tuple[FoldedStep, ...]

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        gates = self._gates(ops, x)
        with ops.scope("layers.1"):
            x = ops.relu(ops.conv("preprocess", x, self.preprocess))
            for i, step in enumerate(self.steps):
                with ops.scope(f"_ops.{i}"):
                    x = step(ops, x, gates[i * EXPERT_COUNT : (i + 1) * EXPERT_COUNT])
        return x

    def _gates(self, ops: Ops[T], x: T) -> list[T]:
        """Return the gates of all steps, one step after the other: 4 * 8 tensors (B, 1, 1, 1)."""
        first, second = self.linears
        with ops.scope("layers.0"):
            average = ops.reshape(ops.spatial_mean(x), (0, -1))  # (B, C)
            hidden = ops.relu(ops.linear("ca_fc.0", average, first.weight, first.bias))
            logits = ops.linear("ca_fc.2", hidden, second.weight, second.bias)
            gates = ops.softmax(ops.reshape(logits, (0, MEFC_STEPS, EXPERT_COUNT)))
            count = MEFC_STEPS * EXPERT_COUNT
            return ops.split(ops.reshape(gates, (0, count, 1, 1)), [1] * count, axis=1)


def fold_mefc(mefc: MEFC) -> FoldedMEFC:
    """Rewrite one MEFC."""
    gates, experts = mefc.parts()
    first, _, second = gates.ca_fc
    return FoldedMEFC(
        linears=(_linear(first), _linear(second)),
        preprocess=conv_from_module(experts.preprocess.op[0]),
        steps=tuple(map(fold_step, experts.steps())),
    )


def _linear(module: nn.Module) -> Linear:
    assert isinstance(module, nn.Linear)
    return Linear(module.weight, module.bias)


def fold_step(step: ExpertStep) -> FoldedStep:
    """Fold every expert of a step and multiply their last 1x1 into the mixing matrix."""
    out = conv_from_module(step._out[0]).weight[:, :, 0, 0]  # (C, 8C)
    slices = out.chunk(EXPERT_COUNT, dim=1)
    return FoldedStep(
        tuple(_fold_expert(op, columns) for op, columns in zip(step._ops, slices, strict=True))
    )


def _fold_expert(op: nn.Module, columns: Tensor) -> FoldedExpert:
    """Multiply an expert's last 1x1 and its columns of `_out`, (C, C), into one convolution."""
    if isinstance(op, nn.AvgPool2d):
        return FoldedExpert((_mixing(columns),), pooled=True)
    if isinstance(op, DilatedExpert):
        depthwise, last = map(conv_from_module, op.op)
        return FoldedExpert((depthwise, _mixing(columns @ last.weight[:, :, 0, 0])))
    if isinstance(op, SeparableExpert):
        depthwise, middle, depthwise2, last = (conv_from_module(op.op[i]) for i in (0, 1, 3, 4))
        columns = columns @ last.weight[:, :, 0, 0]
        if depthwise.weight.shape[2:] == (1, 1):
            first = Conv(middle.weight * depthwise.weight[None, :, 0])
            scales = depthwise2.weight[:, 0, 0, 0]
            return FoldedExpert((first, _mixing(columns * scales)), relu_after=0)
        return FoldedExpert((depthwise, middle, depthwise2, _mixing(columns)), relu_after=1)
    raise ExportError(f"fold_experts does not know the expert {type(op).__name__}")


def _mixing(matrix: Tensor) -> Conv:
    return Conv(matrix[:, :, None, None])
