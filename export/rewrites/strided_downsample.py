"""A 3x3 convolution followed by a pixel unshuffle by 2 becomes one 4x4 convolution of stride 2.

Rule:
    output channel 4*o + 2*dy + dx at (i, j) is channel o of the 3x3 convolution at
    (2i + dy, 2j + dx). A 4x4 kernel of stride 2 computes it, with the 3x3 weights at offset
    (dy, dx) and zeros elsewhere. The graph then needs no unshuffle, which ONNX has only with
    another order of channels; the convolution, about 1 % of the network, takes 1.8 times the
    multiply-accumulates.
Requires:
    a dense 3x3 convolution, padding 1, stride 1; even height and width.
"""

import torch
import torch.nn.functional as F

from drsformer.errors import ExportError

from ..ops import Conv


def strided_downsample(conv: Conv) -> Conv:
    """Return the strided convolution equal to `pixel_unshuffle(conv(x), 2)`."""
    if conv.weight.shape[2:] != (3, 3) or (conv.padding, conv.stride, conv.groups) != (1, 1, 1):
        raise ExportError(f"strided_downsample needs a dense 3x3, got {tuple(conv.weight.shape)}")
    shifted = [
        F.pad(conv.weight, (dx, 1 - dx, dy, 1 - dy)) for dy in (0, 1) for dx in (0, 1)
    ]  # four of (O, I, 4, 4)
    weight = torch.stack(shifted, dim=1).flatten(0, 1)  # (4 O, I, 4, 4), o slowest
    bias = None if conv.bias is None else conv.bias.repeat_interleave(4)
    return Conv(weight, bias, padding=1, stride=2)
