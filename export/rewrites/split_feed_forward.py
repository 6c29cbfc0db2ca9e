"""The grouped convolutions of the feed-forward (MSFN) split into depthwise ones.

The second convolutions of the plain feed-forward are grouped, with two inputs a group. Runtimes
compute these slowly, and to join and gather their inputs takes more passes over memory than the
convolutions themselves.

Let p0 ... p[h-1] be one half of project_in's channels, a0 ... a[h-1] what the first 3x3
convolution and b0 ... b[h-1] what the first 5x5 convolution makes of them. The second convolution
(3x3 for half 1, 5x5 for half 2) has h groups; group g reads the channels 2g and 2g + 1 of [a, b]:

    h = 4    group    0   1   2   3         h = 5    group    0   1   2   3   4
             input 0  a0  a2  b0  b2                 input 0  a0  a2  a4  b1  b3
             input 1  a1  a3  b1  b3                 input 1  a1  a3  b0  b2  b4

With h even, a and b are read alike. With h odd, the middle group reads both, and every later
input 0 is an odd channel.

Rules, for each half:
    1. The sum of a group over its two inputs is the sum of two depthwise convolutions, one over
       all inputs 0 and one over all inputs 1, added before the relu.
    2. project_in emits its channels in the orders in which they are read, so that nothing is
       gathered. The middle group comes behind the groups of b:

           h = 4    even0 = p0 p2    odd0 = p1 p3       a and b both read even0, odd0
           h = 5    even0 = p0 p2    odd0 = p1 p3 p4    even1 = p2 p4 p0
                    a reads even0, odd0 (its last is unused); b reads odd0, even1

    3. Input 0 of the middle group is of a: its 3x3 kernel, zero-padded to 5x5, stands among the
       5x5 kernels.
    4. project_out over joined channels is the sum of 1x1 convolutions over the slices.
    5. Every width is zero-padded to a multiple of 16. This is exact: relu(0) = 0, and the padded
       columns of project_out are 0.
    6. The groups of a and b may be shared out among n parts, every n-th to the same one, so that
       the tensors of a part stay in the processor's cache. With h odd, inputs 1 of b in part i
       are then inputs 0 of a in part i + 1; only the last part needs an order of its own.
Requires:
    the shapes of `FeedForward`: depthwise 3x3 and 5x5 over 2h channels, grouped 3x3 and 5x5
    from 2h to h channels.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from drsformer.errors import ExportError
from drsformer.model import FeedForward

from ..ops import Conv, Ops, T, conv_from_module
from .channel_order import (
    ChannelOrder,
    GroupSlice,
    channel_order,
    padded_width,
    parts_without_padding,
)


@dataclass(frozen=True)
class Branch:
    """What one of the two inputs of each group contributes: depthwise, relu, depthwise.

    Attributes:
        source: name of the 1x1 convolution that it reads.
        first: rows of the first 3x3 or 5x5 convolution.
        second: the second convolution's kernels for this input.
    """

    source: str
    first: Conv
    second: Conv

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, padded width, H, W)
        x = ops.relu(ops.conv(f"{self.source}.first", x, self.first))
        return ops.conv(f"{self.source}.second", x, self.second)


@dataclass(frozen=True)
class SplitGroups:
    """A slice of the groups: the sum of two branches, a relu, and columns of project_out.

    Attributes:
        name: part of the node names.
        branches: of inputs 0 and of inputs 1.
        project_out: the columns of project_out that read these groups.
    """

    name: str
    branches: tuple[Branch, Branch]
    project_out: Conv

    def __call__(self, ops: Ops[T], sources: dict[str, T], total: T | None) -> T:  # (B, C, H, W)
        """Return total + the slice's share of the feed-forward; no total is 0."""
        with ops.scope(self.name):
            a, b = (branch(ops, sources[branch.source]) for branch in self.branches)
            out = ops.conv("project_out", ops.relu(ops.add(a, b)), self.project_out)
            # the sum directly follows a convolution, so that runtimes fuse the two
            return out if total is None else ops.add(out, total)


@dataclass(frozen=True)
class SplitFeedForward:
    """The feed-forward as depthwise and 1x1 convolutions only.

    Attributes:
        project_in: a 1x1 convolution for each order of the channels, by name.
        slices: together, every group of both halves.
    """

    project_in: dict[str, Conv]
    slices: tuple[SplitGroups, ...]

    def __call__(self, ops: Ops[T], x: T, residual: T) -> T:  # (B, C, H, W)
        """Return residual + feed_forward(x)."""
        sources = {
            name: ops.conv(f"project_in.{name}", x, conv) for name, conv in self.project_in.items()
        }
        total: T | None = None
        for groups in self.slices:
            total = groups(ops, sources, total)
        assert total is not None
        return ops.add(total, residual)  # last, because it does not come out of a convolution


def split_feed_forward(ffn: FeedForward, project_in: Conv, parts: int = 1) -> SplitFeedForward:
    """Rewrite a feed-forward.

    Args:
        ffn: the plain feed-forward.
        project_in: its first convolution, with the norm folded in.
        parts: most parts of rule 6; there are fewer where more would need wider padding.
    """
    hidden = ffn.dwconv3x3_1.out_channels
    if ffn.dwconv3x3.groups != 2 * hidden or ffn.dwconv3x3_1.groups != hidden:
        raise ExportError(f"split_feed_forward needs 2h and h groups, got {ffn.dwconv3x3_1}")
    order = channel_order(hidden, parts_without_padding(hidden, parts))
    first, second = (_Half(ffn, project_in, index, order) for index in (0, 1))
    return SplitFeedForward(
        project_in=first.project_in_by_order() | second.project_in_by_order(),
        slices=(*first.slices(), *second.slices()),
    )


@dataclass(frozen=True)
class _Half:
    """Half 1 (index 0) or half 2 (index 1) of project_in's channels."""

    ffn: FeedForward
    project_in: Conv
    index: int
    order: ChannelOrder

    def project_in_by_order(self) -> dict[str, Conv]:
        """Return the 1x1 convolution that emits each order."""
        return {
            self._name(order): _outputs(
                self.project_in, self._channels(order), self.width, depthwise=False
            )
            for order in self.order.orders
        }

    def slices(self) -> list[SplitGroups]:
        """Return the convolutions of each slice of the groups."""
        return [self._split(groups) for groups in self.order.slices]

    @property
    def width(self) -> int:
        """Channels of every tensor, padded (rule 5)."""
        return padded_width(max(map(len, self.order.orders.values())))

    @property
    def _offset(self) -> int:
        return self.index * self.ffn.dwconv3x3_1.out_channels

    def _name(self, name: str) -> str:
        return f"{self.index + 1}.{name}"

    def _channels(self, order: str) -> list[int]:
        return [self._offset + channel for channel in self.order.orders[order]]

    def _split(self, groups: GroupSlice) -> SplitGroups:
        zero, one = (
            Branch(self._name(order), self._first(groups, i), self._second(groups, i))
            for i, order in enumerate(groups.orders)
        )
        columns = [self._offset + group for group in groups.groups]
        carries_bias = self.index == 0 and groups is self.order.slices[0]
        project_out = _project_out(self.ffn, columns, self.width, bias=carries_bias)
        return SplitGroups(self._name(groups.name), (zero, one), project_out)

    def _first(self, groups: GroupSlice, input_index: int) -> Conv:
        """Return the first convolution of the channels that are this input of the groups."""
        three, five = conv_from_module(self.ffn.dwconv3x3), conv_from_module(self.ffn.dwconv5x5)
        channels = self._channels(groups.orders[input_index])
        conv = _outputs(three if groups.kernel == 3 else five, channels, self.width, depthwise=True)
        if groups.has_middle and input_index == 0:
            return _with_middle(conv, three, channels)
        return conv

    def _second(self, groups: GroupSlice, input_index: int) -> Conv:
        """Return the second convolution's kernels for this input; input 0 carries the bias."""
        conv = conv_from_module(self.ffn.dwconv5x5_1 if self.index else self.ffn.dwconv3x3_1)
        kernels = conv.weight[:, input_index : input_index + 1]
        conv = replace(conv, weight=kernels, bias=None if input_index else conv.bias)
        return _outputs(conv, groups.groups, self.width, depthwise=True)


def _outputs(conv: Conv, channels: list[int], width: int, *, depthwise: bool) -> Conv:
    """Return some output channels of a convolution, zero-padded to `width` of them."""
    return replace(
        conv,
        weight=_pad_rows(conv.weight[channels], width),
        bias=None if conv.bias is None else _pad_rows(conv.bias[channels], width),
        groups=width if depthwise else 1,
    )


def _with_middle(conv: Conv, three: Conv, channels: list[int]) -> Conv:
    """Replace the last channel's 5x5 kernel by its 3x3 kernel, zero-padded (rule 3)."""
    here = torch.arange(conv.weight.shape[0], device=conv.weight.device) == len(channels) - 1
    channel = channels[-1]
    kernel = F.pad(three.weight[channel], (1, 1, 1, 1))  # (1, 5, 5)
    bias = conv.bias
    if bias is not None and three.bias is not None:
        bias = torch.where(here, three.bias[channel], bias)
    return replace(
        conv, weight=torch.where(here[:, None, None, None], kernel, conv.weight), bias=bias
    )


def _project_out(ffn: FeedForward, columns: list[int], width: int, *, bias: bool) -> Conv:
    """Return some columns of project_out, zero-padded; only one slice carries the bias."""
    weight = ffn.project_out.weight[:, columns]
    padded = F.pad(weight, (0, 0, 0, 0, 0, width - len(columns)))
    return Conv(padded, ffn.project_out.bias if bias else None)


def _pad_rows(x: Tensor, rows: int) -> Tensor:
    """Append zeros along the first axis."""
    return F.pad(x, (0, 0) * (x.dim() - 1) + (0, rows - x.shape[0]))
