"""The order in which the split feed-forward's 1x1 convolutions emit their channels.

`split_feed_forward.py` explains why there is an order; this file decides it (rules 2 and 6) from
the hidden width alone. Channels are counted within one half of project_in, 0 to h - 1.
"""

from dataclasses import dataclass

WIDTH_MULTIPLE = 16


@dataclass(frozen=True)
class GroupSlice:
    """Some groups, all of whose inputs 0 and all of whose inputs 1 stand in one order each.

    Attributes:
        name: part of the node names.
        kernel: kernel of the first convolution that the groups read, pixels: 3 for a, 5 for b.
        orders: names of the orders of inputs 0 and of inputs 1; group k of this slice reads the
            k-th channel of each.
        groups: indices of the groups among the h groups.
        has_middle: whether the last group is the middle one, whose input 0 comes from a.
    """

    name: str
    kernel: int
    orders: tuple[str, str]
    groups: list[int]
    has_middle: bool = False


@dataclass(frozen=True)
class ChannelOrder:
    """What project_in emits for one half, and which groups read it.

    Attributes:
        orders: the channels of each order, by the name of the order.
        slices: every group is in exactly one of them.
    """

    orders: dict[str, list[int]]
    slices: list[GroupSlice]


def channel_order(hidden: int, parts: int) -> ChannelOrder:
    """Return the order of rule 2, with its rows shared out among parts (rule 6).

    Row r holds group r, which reads a, and the group that reads the same channels of b; these are
    one channel later where `hidden` is odd.
    """
    return _odd_order(hidden, parts) if hidden % 2 else _even_order(hidden, parts)


def _even_order(hidden: int, parts: int) -> ChannelOrder:
    """Row r reads p[2r] and p[2r + 1], in a and in b."""
    middle = hidden // 2  # the first group that reads b
    orders, slices = {}, []
    for i in range(parts):
        rows = range(i, middle, parts)
        orders[f"even{i}"] = [2 * row for row in rows]
        orders[f"odd{i}"] = [2 * row + 1 for row in rows]
        read = f"even{i}", f"odd{i}"
        slices.append(GroupSlice(f"3x3.{i}", 3, read, list(rows)))
        slices.append(GroupSlice(f"5x5.{i}", 5, read, [middle + row for row in rows]))
    return ChannelOrder(orders, slices)


def _odd_order(hidden: int, parts: int) -> ChannelOrder:
    """Row r reads p[2r], p[2r + 1] in a and p[2r + 1], p[2r + 2] in b; the middle comes last."""
    middle = hidden // 2
    orders = {"even0": list(range(0, hidden - 1, 2 * parts))}
    slices = []
    for i in range(parts):
        rows = range(i, middle + 1, parts)
        orders[f"odd{i}"] = [min(2 * row + 1, hidden - 1) for row in rows]
        orders[f"even{i + 1}"] = [2 * row + 2 if row < middle else 0 for row in rows]
        of_a = [row for row in rows if row < middle]
        of_b = [row + middle + 1 if row < middle else middle for row in rows]
        slices.append(GroupSlice(f"3x3.{i}", 3, (f"even{i}", f"odd{i}"), of_a))
        read = f"odd{i}", f"even{i + 1}"
        slices.append(GroupSlice(f"5x5.{i}", 5, read, of_b, has_middle=middle in rows))
    return ChannelOrder(orders, slices)


def parts_without_padding(hidden: int, most: int) -> int:
    """Return the largest number of parts, up to `most`, that needs no more padding than one."""
    rows = (hidden + 1) // 2
    whole = padded_width(rows)
    return max(n for n in range(1, most + 1) if n * padded_width(-(-rows // n)) == whole)


def padded_width(channels: int) -> int:
    """Round up to the multiple of rule 5."""
    return -(-channels // WIDTH_MULTIPLE) * WIDTH_MULTIPLE
