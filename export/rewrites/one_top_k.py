"""The four sparse softmaxes of TKSA share one sorted top-k and one softmax, and become one map.

Rules:
    1. The k largest entries of a row are those >= its k-th largest, so one sorted top-k with the
       largest k holds all four thresholds.
    2. softmax_i = p_i / sum(p_i), with p the row's softmax over all entries and p_i = p where an
       entry is kept, else 0: the factor between p and the exponentials cancels. The row's maximum
       is always kept, so the sum is at least 1 / c.
    3. sum_i gain_i * (softmax_i @ v) = (sum_i gain_i * softmax_i) @ v: one product, not four.
Ties:
    a threshold keeps every entry that equals the k-th largest, so it keeps more than k where they
    tie. A selection by index keeps exactly k, and each runtime chooses other ones. See
    docs/numerics.md, "Ties in the top-k".
Requires:
    four counts k >= 1, in ascending order.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from drsformer.errors import ExportError

from ..ops import Ops, T


def merged_map(
    ops: Ops[T],
    scores: T,
    gains: Sequence[Tensor],
    counts: Sequence[int],
    *,
    heads: int,
    width: int,
) -> T:
    """Return sum_i gain_i * sparse_softmax(scores, counts[i]).

    Args:
        ops: the operators to compute with.
        scores: (B, heads, c, c).
        gains: four tensors of shape (1,).
        counts: four numbers of entries to keep per row.
        heads: number of attention heads.
        width: c, channels of one head.

    Returns:
        The map, (B, heads, c, c).

    Raises:
        ExportError: a head has too few channels for the smallest count.
    """
    if counts[0] < 1 or list(counts) != sorted(counts):
        raise ExportError(
            f"top-k counts {list(counts)} must ascend from at least 1: every head needs two "
            "channels or more"
        )
    gain = ops.constant("gains", torch.cat(list(gains))[:, None])  # (4, 1)
    with ops.scope("map"):
        largest = ops.top_k(scores, counts[-1])  # (B, heads, c, k), largest first
        thresholds = ops.gather_column(largest, [k - 1 for k in counts])  # (B, heads, c, 4, 1)
        scores = ops.reshape(scores, (0, heads, width, 1, width))  # an axis for the four maps
        kept = ops.where_at_least(scores, thresholds, ops.softmax(scores))  # (B, heads, c, 4, c)
        factors = ops.div(gain, ops.sum(kept, -1, keep=True))  # (B, heads, c, 4, 1)
        return ops.sum(ops.mul(kept, factors), -2, keep=False)  # (B, heads, c, c)
