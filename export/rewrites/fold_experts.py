"""The MEFC step's eight experts, each with one gated matrix.

Rules:
    1. The last 1x1 of an expert and its slice of `_out` multiply into one matrix; the average
       pool has none, so its slice stays.
    2. The k = 1 separable expert's depthwise convolutions are diagonal matrices and fold into
       their 1x1 neighbours.
    3. A gate scales an expert's output, so it can scale that expert's matrix: C * C numbers
       instead of C * H*W. The eight products are added up as they come; joining the experts
       first and multiplying once was slower (docs/decisions.md).
    4. relu(relu(y) + x) = relu(y) + x where x >= 0: the outer relu goes. x is the output of a
       relu (preprocess) or of the previous step, a sum of such.
Requires:
    experts as in `ExpertStep`: no biases, the step's input not negative.
"""

from dataclasses import dataclass

import torch
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
    """What is left of an expert before the mixing matrix; no convolutions: the average pool."""

    convs: tuple[Conv, ...]
    relu_after: int = -1

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        if not self.convs and self.relu_after < 0:
            return ops.average_pool_3x3(x)
        for i, conv in enumerate(self.convs):
            x = ops.conv(str(i), x, conv)
            x = ops.relu(x) if i == self.relu_after else x
        return x


@dataclass(frozen=True)
class FoldedStep:
    """Eight experts and the matrices (8, C, C) that mix them."""

    experts: tuple[FoldedExpert, ...]
    matrices: Tensor

    def __call__(self, ops: Ops[T], x: T, gates: T) -> T:  # (B, C, H, W), (B, 8, 1, 1)
        channels = self.matrices.shape[1]
        gated = ops.mul(ops.constant("_out", self.matrices), gates)  # (B, 8, C, C)
        matrices = ops.split(gated, [1] * EXPERT_COUNT, axis=1)  # each (B, 1, C, C)
        total: T | None = None
        for i, (expert, matrix) in enumerate(zip(self.experts, matrices, strict=True)):
            with ops.scope(f"_ops.{i}"):
                flat = ops.reshape(expert(ops, x), (0, 1, channels, -1))  # (B, 1, C, N)
                part = ops.matmul(matrix, flat)
                total = part if total is None else ops.add(total, part)
        assert total is not None
        return ops.add(ops.relu(ops.reshape_like(total, x)), x)


@dataclass(frozen=True)
class Linear:
    """Weight (out, in) and bias (out,) of a fully connected layer."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class FoldedMEFC:
    """The compensator: gates from the average feature, then four folded steps."""

    linears: tuple[Linear, Linear]
    preprocess: Conv
    steps: tuple[FoldedStep, ...]

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        gates = self._gates(ops, x)
        with ops.scope("layers.1"):
            x = ops.relu(ops.conv("preprocess", x, self.preprocess))
            for i, step in enumerate(self.steps):
                with ops.scope(f"_ops.{i}"):
                    x = step(ops, x, gates[i])
        return x

    def _gates(self, ops: Ops[T], x: T) -> list[T]:
        """Return four gate tensors, each (B, 8, 1, 1)."""
        first, second = self.linears
        with ops.scope("layers.0"):
            average = ops.reshape(ops.spatial_mean(x), (0, -1))  # (B, C)
            hidden = ops.relu(ops.linear("ca_fc.0", average, first.weight, first.bias))
            logits = ops.linear("ca_fc.2", hidden, second.weight, second.bias)
            gates = ops.softmax(ops.reshape(logits, (0, MEFC_STEPS, EXPERT_COUNT)))
            steps = ops.split(gates, [1] * MEFC_STEPS, axis=1)  # each (B, 1, 8)
            return [ops.reshape(step, (0, EXPERT_COUNT, 1, 1)) for step in steps]


def fold_mefc(mefc: MEFC) -> FoldedMEFC:
    """Rewrite one compensator."""
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
    folded = [_fold_expert(op, columns) for op, columns in zip(step._ops, slices, strict=True)]
    return FoldedStep(
        experts=tuple(expert for expert, _ in folded),
        matrices=torch.stack([matrix for _, matrix in folded]),
    )


def _fold_expert(op: nn.Module, columns: Tensor) -> tuple[FoldedExpert, Tensor]:
    """Return what is left of an expert, and its columns of the mixing matrix."""
    if isinstance(op, nn.AvgPool2d):
        return FoldedExpert(()), columns
    if isinstance(op, DilatedExpert):
        depthwise, last = map(conv_from_module, op.op)
        return FoldedExpert((depthwise,)), columns @ last.weight[:, :, 0, 0]
    if isinstance(op, SeparableExpert):
        depthwise, middle, depthwise2, last = (conv_from_module(op.op[i]) for i in (0, 1, 3, 4))
        columns = columns @ last.weight[:, :, 0, 0]
        if depthwise.weight.shape[2:] == (1, 1):
            weight = middle.weight * depthwise.weight[None, :, 0]
            scales = depthwise2.weight[:, 0, 0, 0]
            return FoldedExpert((Conv(weight),), relu_after=0), columns * scales
        return FoldedExpert((depthwise, middle, depthwise2), relu_after=1), columns
    raise ExportError(f"fold_experts does not know the expert {type(op).__name__}")
