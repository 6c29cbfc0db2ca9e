"""The feed-forward's two-input grouped convolutions split into depthwise ones.

The plain form joins both branches and lets group g of a grouped convolution read channels 2g
and 2g+1 of [a, b] (a: 3x3 branch, b: 5x5 branch, h channels each). A grouped convolution
with two inputs a group is slow everywhere, and the split, join and gather around it cost
more passes over memory than the convolutions.

Rules, for each half of project_in's channels p (half 1 ends in 3x3, half 2 in 5x5):
    1. A group's sum over its two inputs is the sum of two depthwise convolutions, one over
       the first inputs of all groups and one over the second, added before the relu.
    2. project_in emits its channels in that order, so nothing is gathered afterwards.
       h even: groups read (a0 a1) (a2 a3) ... (b0 b1) (b2 b3) ...
           firsts  even0 = p0 p2 ...     seconds odd0 = p1 p3 ...     for both branches.
       h odd: (a0 a1) ... (a[h-3] a[h-2]) (a[h-1] b0) (b1 b2) ... (b[h-2] b[h-1]); the middle
           group mixes the branches. In the order (b1 b2) ... (b[h-2] b[h-1]) (a[h-1] b0):
           odd0    = p1 p3 ... p[h-2] p[h-1]    seconds of a (last unused), firsts of b
           even0   = p0 p2 ... p[h-3]           firsts of a
           even1   = p2 p4 ... p[h-1] p0        seconds of b
    3. In the middle group the first input is of the 3x3 branch: its kernel, zero-padded to
       5x5, sits among the 5x5 ones.
    4. project_out over concatenated channels is the sum of 1x1 convolutions over the pieces.
    5. Widths are zero-padded to a multiple of 16: relu(0) = 0, and the padded columns of
       project_out are 0.
    6. Rule 2's rows of groups may be dealt out to n parts, every n-th to the same, so that a
       part's tensors stay in the processor's cache. With h odd the seconds of b in part i are
       then the firsts of a in part i + 1, one channel later in the last part only: of the copy
       that even1 is, an n-th is left.
Requires:
    the shapes of `FeedForward`: depthwise 3x3 and 5x5 over 2h channels, grouped 3x3 and 5x5
    from 2h to h channels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from drsformer.errors import ExportError
from drsformer.model import FeedForward

from ..ops import Conv, Ops, T, conv_from_module

WIDTH_MULTIPLE = 16


@dataclass(frozen=True)
class Input:
    """Some channels of project_in, emitted on their own."""

    name: str
    project: Conv


@dataclass(frozen=True)
class Path:
    """One input of a group: a depthwise convolution, relu, a second depthwise convolution."""

    source: str
    first: Conv
    second: Conv


@dataclass(frozen=True)
class Piece:
    """Groups of one branch: the sum of two paths, relu, and their columns of project_out."""

    name: str
    paths: tuple[Path, Path]
    project: Conv


@dataclass(frozen=True)
class SplitFeedForward:
    """The feed-forward as depthwise and 1x1 convolutions only."""

    inputs: tuple[Input, ...]
    pieces: tuple[Piece, ...]

    def __call__(self, ops: Ops[T], x: T, residual: T) -> T:  # (B, C, H, W)
        """Return residual + feed_forward(x)."""
        sources = {i.name: ops.conv(f"project_in.{i.name}", x, i.project) for i in self.inputs}
        total: T | None = None
        for piece in self.pieces:
            with ops.scope(piece.name):
                a, b = (self._path(ops, sources[path.source], path) for path in piece.paths)
                out = ops.conv("project_out", ops.relu(ops.add(a, b)), piece.project)
                # each sum directly follows a convolution, so that runtimes fuse it; the residual,
                # which is no convolution's output, comes last
                total = out if total is None else ops.add(out, total)
        assert total is not None
        return ops.add(total, residual)

    @staticmethod
    def _path(ops: Ops[T], x: T, path: Path) -> T:
        return ops.conv(
            f"{path.source}.second",
            ops.relu(ops.conv(f"{path.source}.first", x, path.first)),
            path.second,
        )


def split_feed_forward(ffn: FeedForward, project_in: Conv, parts: int = 1) -> SplitFeedForward:
    """Rewrite a feed-forward.

    Args:
        ffn: the plain one.
        project_in: its first convolution, with the norm folded in.
        parts: of rule 6, at most: no more than there are without wider padding.
    """
    hidden = ffn.dwconv3x3_1.out_channels
    if ffn.dwconv3x3.groups != 2 * hidden or ffn.dwconv3x3_1.groups != hidden:
        raise ExportError(f"split_feed_forward needs 2h and h groups, got {ffn.dwconv3x3_1}")
    deal = deal_channels(hidden, parts_without_padding(hidden, parts))
    halves = [_Half(ffn, project_in, index, deal) for index in (0, 1)]
    return SplitFeedForward(
        inputs=tuple(channels for half in halves for channels in half.inputs()),
        pieces=tuple(piece for half in halves for piece in half.pieces()),
    )


@dataclass(frozen=True)
class Hand:
    """Groups of one branch, their inputs at the same places of two orders.

    Attributes:
        name: for people.
        kernel: the branch's first kernel, 3 or 5 pixels.
        orders: names of the orders of their first and their second inputs.
        groups: their numbers among the h groups.
        mixed: whether the last is the middle group of rule 3.
    """

    name: str
    kernel: int
    orders: tuple[str, str]
    groups: list[int]
    mixed: bool = False


@dataclass(frozen=True)
class Deal:
    """Rules 2 and 6: channels of a half by the name of their order, and who reads them."""

    orders: dict[str, list[int]]
    hands: list[Hand]


def deal_channels(hidden: int, parts: int) -> Deal:
    """Deal rule 2's rows out to parts: in row r lie group r of a and its neighbour of b."""
    return _deal_odd(hidden, parts) if hidden % 2 else _deal_even(hidden, parts)


def _deal_even(hidden: int, parts: int) -> Deal:
    """Both branches read (p[2r] p[2r + 1])."""
    middle = hidden // 2  # b's first group
    orders, hands = {}, []
    for i in range(parts):
        rows = range(i, middle, parts)
        orders[f"even{i}"] = [2 * row for row in rows]
        orders[f"odd{i}"] = [2 * row + 1 for row in rows]
        read = f"even{i}", f"odd{i}"
        hands.append(Hand(f"3x3.{i}", 3, read, list(rows)))
        hands.append(Hand(f"5x5.{i}", 5, read, [middle + row for row in rows]))
    return Deal(orders, hands)


def _deal_odd(hidden: int, parts: int) -> Deal:
    """Branch a reads (p[2r] p[2r + 1]), b (p[2r + 1] p[2r + 2]); the middle group comes last."""
    middle = hidden // 2
    orders = {"even0": list(range(0, hidden - 1, 2 * parts))}
    hands = []
    for i in range(parts):
        rows = range(i, middle + 1, parts)
        orders[f"odd{i}"] = [min(2 * row + 1, hidden - 1) for row in rows]
        orders[f"even{i + 1}"] = [2 * row + 2 if row < middle else 0 for row in rows]
        of_a = [row for row in rows if row < middle]
        of_b = [row + middle + 1 if row < middle else middle for row in rows]
        hands.append(Hand(f"3x3.{i}", 3, (f"even{i}", f"odd{i}"), of_a))
        read = f"odd{i}", f"even{i + 1}"
        hands.append(Hand(f"5x5.{i}", 5, read, of_b, mixed=middle in rows))
    return Deal(orders, hands)


def parts_without_padding(hidden: int, parts: int) -> int:
    """Return the most parts, up to a number, whose padded widths add up to that of one."""
    rows = (hidden + 1) // 2
    return max(
        n for n in range(1, parts + 1) if n * _padded_width(-(-rows // n)) == _padded_width(rows)
    )


@dataclass(frozen=True)
class _Half:
    """Half of project_in's channels, which end in one of the two second convolutions."""

    ffn: FeedForward
    project_in: Conv
    index: int
    deal: Deal

    def inputs(self) -> list[Input]:
        """Return the orders of the channels, as convolutions of their own."""
        return [
            Input(self._named(name), _project_in(self.project_in, self._channels(name), self.width))
            for name in self.deal.orders
        ]

    def pieces(self) -> list[Piece]:
        """Return each hand's path from project_in to project_out."""
        return [self._piece(hand) for hand in self.deal.hands]

    @property
    def width(self) -> int:
        """Channels of every tensor, padded (rule 5)."""
        return _padded_width(max(map(len, self.deal.orders.values())))

    @property
    def _offset(self) -> int:
        return self.index * self.ffn.dwconv3x3_1.out_channels

    def _named(self, name: str) -> str:
        return f"{self.index + 1}.{name}"

    def _channels(self, order: str) -> list[int]:
        return [self._offset + channel for channel in self.deal.orders[order]]

    def _piece(self, hand: Hand) -> Piece:
        a, b = (
            Path(self._named(order), self._first(hand, tap), self._second(hand, tap))
            for tap, order in enumerate(hand.orders)
        )
        columns = [self._offset + group for group in hand.groups]
        carries_bias = self.index == 0 and hand is self.deal.hands[0]
        project = _project_out(self.ffn, columns, self.width, bias=carries_bias)
        return Piece(self._named(hand.name), (a, b), project)

    def _first(self, hand: Hand, tap: int) -> Conv:
        """Return the rows of the branch's first depthwise convolution, in an order."""
        three, five = conv_from_module(self.ffn.dwconv3x3), conv_from_module(self.ffn.dwconv5x5)
        conv, channels = three if hand.kernel == 3 else five, self._channels(hand.orders[tap])
        bias = None if conv.bias is None else conv.bias[channels]
        rows = Conv(conv.weight[channels], bias, conv.padding, groups=len(channels))
        if hand.mixed and tap == 0:
            rows = _with_middle(rows, three, channels)
        return _padded(rows, self.width)

    def _second(self, hand: Hand, tap: int) -> Conv:
        """Return what the second convolution does with input `tap` of each group."""
        conv = conv_from_module(self.ffn.dwconv5x5_1 if self.index else self.ffn.dwconv3x3_1)
        bias = conv.bias[hand.groups] if conv.bias is not None and tap == 0 else None
        weight = conv.weight[hand.groups, tap : tap + 1]
        return _padded(Conv(weight, bias, conv.padding, groups=len(hand.groups)), self.width)


def _padded_width(channels: int) -> int:
    return -(-channels // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def _project_in(conv: Conv, channels: list[int], width: int) -> Conv:
    bias = None if conv.bias is None else _pad_rows(conv.bias[channels], width)
    return Conv(_pad_rows(conv.weight[channels], width), bias)


def _padded(conv: Conv, width: int) -> Conv:
    """Zero-pad a depthwise convolution to `width` channels."""
    bias = None if conv.bias is None else _pad_rows(conv.bias, width)
    return Conv(_pad_rows(conv.weight, width), bias, conv.padding, groups=width)


def _with_middle(conv: Conv, three: Conv, channels: list[int]) -> Conv:
    """Put the last channel's 3x3 kernel, padded to 5x5, at its place in a 5x5 convolution."""
    here = torch.arange(conv.weight.shape[0], device=conv.weight.device) == len(channels) - 1
    channel = channels[-1]
    kernel = F.pad(three.weight[channel], (1, 1, 1, 1))  # (1, 5, 5)
    bias = conv.bias
    if bias is not None and three.bias is not None:
        bias = torch.where(here, three.bias[channel], bias)
    weight = torch.where(here[:, None, None, None], kernel, conv.weight)
    return Conv(weight, bias, conv.padding, groups=conv.groups)


def _project_out(ffn: FeedForward, channels: list[int], width: int, *, bias: bool) -> Conv:
    """Return project_out's columns for `channels`; one piece alone carries the bias."""
    weight = ffn.project_out.weight[:, channels]
    padded = F.pad(weight, (0, 0, 0, 0, 0, width - len(channels)))
    return Conv(padded, ffn.project_out.bias if bias else None)


def _pad_rows(x: Tensor, rows: int) -> Tensor:
    """Append zeros along the first axis."""
    return F.pad(x, (0, 0) * (x.dim() - 1) + (0, rows - x.shape[0]))
