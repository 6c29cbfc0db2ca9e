"""The L2 norms of q and k scale the rows and columns of the small score matrix.

Rule:
    (q / |q|) @ (k / |k|)^T * t = (q @ k^T) * (t / |q|) / |k|^T, with |.| the norm over N = H*W.
    So the (c, N) tensors are only read, and no normalised copy of them is written. The norms sum
    over W, then over H, and not over N at once: ONNX Runtime adds one number after the other, and
    its sum over 512 x 512 pixels is off by 3.3e-5 (docs/numerics.md).
Requires:
    sums in float32 or wider: the product before the division grows with N and leaves the range of
    float16 from about 180 x 180 pixels on (docs/numerics.md).
"""

from torch import Tensor

from drsformer.model import L2_NORM_EPS

from ..ops import Ops, T


def scores_from_raw(ops: Ops[T], q: T, k: T, temperature: Tensor, *, heads: int, width: int) -> T:
    """Return the scaled cosine scores (B, heads, c, c).

    Args:
        ops: the operators to compute with.
        q: (B, C, H, W), head-major channels.
        k: the same shape and order of channels.
        temperature: (heads, 1, 1).
        heads: number of heads.
        width: c, channels of one head.
    """
    factor = ops.constant("temperature", temperature)
    flat_q, flat_k = (ops.reshape(t, (0, heads, width, -1)) for t in (q, k))  # (B, heads, c, N)
    with ops.scope("scores"):
        product = ops.matmul(flat_q, ops.transpose(flat_k, (0, 1, 3, 2)))  # (B, heads, c, c)
        rows = ops.reshape(_norm(ops, q), (0, heads, width, 1))
        columns = ops.reshape(_norm(ops, k), (0, heads, 1, width))
        return ops.div(ops.mul(product, ops.div(factor, rows)), columns)


def _norm(ops: Ops[T], x: T) -> T:
    """Return the L2 norm over H and W, at least 1e-12 as in F.normalize; (B, C, 1, 1)."""
    return ops.at_least(ops.spatial_norm(x), L2_NORM_EPS)
