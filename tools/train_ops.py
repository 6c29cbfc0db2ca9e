"""Operators that train fast on a CPU: channels last, with depthwise gradients from fast kernels.

PyTorch 2.13's depthwise convolution has quick kernels forward and for the weight gradient of
3x3, but its 5x5, 7x7 and dilated gradients are 5 to 20 times slower than they need be, and they
were two thirds of a training step. Here the input gradient is the forward convolution with the
kernel turned around, and the weight gradient of a large kernel is put together from 3x3 ones.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from drsformer.export.ops import Conv, TorchOps


class TrainOps(TorchOps):
    """`TorchOps` with the same results up to rounding, and faster gradients."""

    def conv(self, name: str, x: Tensor, conv: Conv) -> Tensor:
        if conv.groups == 1 or conv.weight.shape[1] != 1 or conv.weight.shape[-1] == 1:
            return super().conv(name, x.contiguous(memory_format=torch.channels_last), conv)
        if conv.dilation == 1:
            y = depthwise(x, conv.weight)
        else:  # a dilation of 2 is four ordinary convolutions on the four pixel phases
            y = _from_phases(depthwise(_to_phases(x), conv.weight), x)
        return y if conv.bias is None else y + conv.bias[:, None, None]

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """Multiply so that a channels-last (.., C, N) right side stays channels last."""
        return (b.transpose(-2, -1) @ a.transpose(-2, -1)).transpose(-2, -1)


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """Depthwise "same" convolution; x (B, C, H, W), weight (C, 1, k, k) with odd k."""
    result: Tensor = _Depthwise.apply(x, weight)
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        flipped = weight.flip(2, 3)
        padding = weight.shape[-1] // 2
        to_input = F.conv2d(gradient, flipped, padding=padding, groups=weight.shape[0])
        return to_input, _weight_gradient(x, gradient, weight.shape[-1])


def _weight_gradient(x: Tensor, gradient: Tensor, kernel: int) -> Tensor:
    """Cover the k x k taps with 3x3 windows; where windows overlap they agree."""
    if kernel == 3:
        return _gradient_3x3(x, gradient)
    height, width = (size + 2 for size in x.shape[2:])
    # a border of zero gradient makes what a 3x3 window reads outside its crop of x irrelevant
    gradient = F.pad(gradient, (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
    x = F.pad(x, (kernel // 2 + 1,) * 4)
    result = x.new_empty(x.shape[1], 1, kernel, kernel)
    starts = sorted({min(start, kernel - 3) for start in range(0, kernel, 3)})
    for top in starts:
        for left in starts:
            crop = x[:, :, top + 1 : top + 1 + height, left + 1 : left + 1 + width]
            crop = crop.contiguous(memory_format=torch.channels_last)
            result[:, :, top : top + 3, left : left + 3] = _gradient_3x3(crop, gradient)
    return result


def _gradient_3x3(x: Tensor, gradient: Tensor) -> Tensor:
    channels = x.shape[1]
    weight = x.new_empty(channels, 1, 3, 3)
    _, result, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], channels,
        [False, True, False],
    )  # fmt: skip
    return result


def _to_phases(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (4B, C, H/2, W/2): the pixels of each row and column parity."""
    phases = [x[:, :, dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)]
    return torch.cat(phases).contiguous(memory_format=torch.channels_last)


def _from_phases(phases: Tensor, like: Tensor) -> Tensor:
    b, c, height, width = like.shape
    grid = phases.reshape(2, 2, b, c, height // 2, width // 2).permute(2, 4, 0, 5, 1, 3)
    return grid.reshape(b, height, width, c).permute(0, 3, 1, 2)
