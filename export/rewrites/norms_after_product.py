"""The L2 norms of q and k scale the rows and columns of the small score matrix.

Rule:
    (q / |q|) @ (k / |k|)^T * t = (q @ k^T) * (t / |q|) / |k|^T, with |.| the norm over N = H*W,
    so the (c, N) tensors are read, never rewritten.
Requires:
    float32 or wider sums: the raw product grows with N and leaves float16's range from about
    180 x 180 pixels on (docs/numerics.md).
"""

from torch import Tensor

from drsformer.model import L2_NORM_EPS

from ..ops import Ops, T


def scores_from_raw(ops: Ops[T], q: T, k: T, temperature: Tensor) -> T:
    """Return the scaled cosine scores (B, heads, c, c) of q and k, each (B, heads, c, N)."""
    factor = ops.constant("temperature", temperature)
    with ops.scope("scores"):
        product = ops.matmul(q, ops.transpose(k))  # (B, heads, c, c)
        rows = ops.div(factor, _norm(ops, q))  # (B, heads, c, 1)
        columns = ops.transpose(_norm(ops, k))  # (B, heads, 1, c)
        return ops.div(ops.mul(product, rows), columns)


def _norm(ops: Ops[T], x: T) -> T:
    """L2 norm over the last axis, at least 1e-12 as in torch.nn.functional.normalize."""
    return ops.at_least(ops.l2_norm_last(x), L2_NORM_EPS)
