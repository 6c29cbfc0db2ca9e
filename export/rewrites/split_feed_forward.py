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
           firsts  even = p0 p2 ...      seconds odd = p1 p3 ...      for both branches.
       h odd: (a0 a1) ... (a[h-3] a[h-2]) (a[h-1] b0) (b1 b2) ... (b[h-2] b[h-1]); the middle
           group mixes the branches. In the order (b1 b2) ... (b[h-2] b[h-1]) (a[h-1] b0):
           odd     = p1 p3 ... p[h-2] p[h-1]    seconds of a (last unused), firsts of b
           even    = p0 p2 ... p[h-3]           firsts of a
           rotated = p2 p4 ... p[h-1] p0        seconds of b
    3. In the middle group the first input is of the 3x3 branch: its kernel, zero-padded to
       5x5, sits among the 5x5 ones.
    4. project_out over concatenated channels is the sum of 1x1 convolutions over the pieces.
    5. Widths are zero-padded to a multiple of 16: relu(0) = 0, and the padded columns of
       project_out are 0.
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


def split_feed_forward(ffn: FeedForward, project_in: Conv) -> SplitFeedForward:
    """Rewrite a feed-forward; `project_in` is its first convolution with the norm folded in."""
    hidden = ffn.dwconv3x3_1.out_channels
    if ffn.dwconv3x3.groups != 2 * hidden or ffn.dwconv3x3_1.groups != hidden:
        raise ExportError(f"split_feed_forward needs 2h and h groups, got {ffn.dwconv3x3_1}")
    halves = [_Half(ffn, project_in, index, hidden) for index in (0, 1)]
    return SplitFeedForward(
        inputs=tuple(channels for half in halves for channels in half.inputs()),
        pieces=tuple(piece for half in halves for piece in half.pieces()),
    )


@dataclass(frozen=True)
class _Half:
    """Half of project_in's channels, which end in one of the two second convolutions."""

    ffn: FeedForward
    project_in: Conv
    index: int
    hidden: int

    def inputs(self) -> list[Input]:
        """Return rule 2's orders of the channels, as convolutions of their own."""
        return [
            Input(self._named(name), _project_in(self.project_in, self._channels(name), self.width))
            for name in _channel_order(self.hidden)
        ]

    def pieces(self) -> list[Piece]:
        """Return the groups of the 3x3 branch and those of the 5x5 branch."""
        middle = self.hidden // 2  # the first group of the 5x5 branch, or the one that mixes both
        three, five = conv_from_module(self.ffn.dwconv3x3), conv_from_module(self.ffn.dwconv5x5)
        groups_three, groups_five = list(range(middle)), list(range(middle, self.hidden))
        firsts_five = {name: self._first(five, name) for name in ("even", "odd")}
        if self.hidden % 2:
            groups_five = [*groups_five[1:], middle]
            odd = _with_middle(firsts_five["odd"], three, self._channels("odd"))
            firsts_five = {"odd": odd, "rotated": self._first(five, "rotated")}
        firsts_three = {name: self._first(three, name) for name in ("even", "odd")}
        return [
            self._piece("3x3", groups_three, firsts_three),
            self._piece("5x5", groups_five, firsts_five),
        ]

    @property
    def width(self) -> int:
        """Channels of every tensor, padded (rule 5)."""
        return -(-((self.hidden + 1) // 2) // WIDTH_MULTIPLE) * WIDTH_MULTIPLE

    @property
    def _offset(self) -> int:
        return self.index * self.hidden

    def _named(self, name: str) -> str:
        return f"{self.index + 1}.{name}"

    def _channels(self, name: str) -> list[int]:
        return [self._offset + channel for channel in _channel_order(self.hidden)[name]]

    def _first(self, conv: Conv, name: str) -> Conv:
        """Return the rows of a first depthwise convolution, in one input's order."""
        channels = self._channels(name)
        bias = None if conv.bias is None else conv.bias[channels]
        rows = Conv(conv.weight[channels], bias, conv.padding, groups=len(channels))
        return _padded(rows, self.width)

    def _second(self, groups: list[int], tap: int) -> Conv:
        """Return what the second convolution does with input `tap` of each group."""
        conv = conv_from_module(self.ffn.dwconv5x5_1 if self.index else self.ffn.dwconv3x3_1)
        bias = conv.bias[groups] if conv.bias is not None and tap == 0 else None
        weight = conv.weight[groups, tap : tap + 1]
        return _padded(Conv(weight, bias, conv.padding, groups=len(groups)), self.width)

    def _piece(self, name: str, groups: list[int], firsts: dict[str, Conv]) -> Piece:
        a, b = (
            Path(self._named(source), first, self._second(groups, tap))
            for tap, (source, first) in enumerate(firsts.items())
        )
        columns = [self._offset + group for group in groups]
        carries_bias = (self.index, name) == (0, "3x3")
        project = _project_out(self.ffn, columns, self.width, bias=carries_bias)
        return Piece(self._named(name), (a, b), project)


def _channel_order(hidden: int) -> dict[str, list[int]]:
    """Return rule 2's channels of one half of project_in, by input name."""
    even, odd = list(range(0, hidden, 2)), list(range(1, hidden, 2))
    if hidden % 2 == 0:
        return {"even": even, "odd": odd}
    return {"even": even[:-1], "odd": [*odd, hidden - 1], "rotated": [*even[1:], 0]}


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
