"""The attention's project_out is linear, so it folds into the attention map.

Rule:
    P @ concat_h(A_h @ v_h) = concat_h(P_h @ A_h) @ concat_h(v_h), with P_h the columns of P that
    read head h. So a product of small matrices, which gives one (C, C) matrix per image, replaces
    a 1x1 convolution over H*W pixels.
Requires:
    project_out is a dense 1x1 convolution; v's channels are head-major.
"""

from torch import Tensor

from drsformer.errors import ExportError

from ..ops import Conv, Ops, T


def projection_per_head(project_out: Conv, heads: int) -> Tensor:
    """Return the matrix of project_out split by head, (heads, C, c)."""
    out, channels, *kernel = project_out.weight.shape
    if kernel != [1, 1] or project_out.groups != 1 or channels % heads:
        raise ExportError(
            f"fold_project_out needs a dense 1x1 convolution over {heads} heads, "
            f"got {tuple(project_out.weight.shape)}"
        )
    return project_out.weight.reshape(out, heads, channels // heads).transpose(0, 1)


def apply_map(ops: Ops[T], attention: T, values: T, projection: Tensor) -> T:
    """Return project_out(attention @ v), without its bias, (B, C, N).

    Args:
        ops: the operators to compute with.
        attention: (B, heads, c, c).
        values: (B, C, H, W), head-major channels.
        projection: (heads, C, c) from `projection_per_head`.
    """
    heads, channels, _ = projection.shape
    weight = ops.constant("project_out", projection)
    with ops.scope("apply"):
        matrix = ops.matmul(weight, attention)  # (B, heads, C, c)
        if heads > 1:  # the columns of each head side by side
            matrix = ops.transpose(matrix, (0, 2, 1, 3))  # (B, C, heads, c)
        matrix = ops.reshape(matrix, (0, channels, channels))
        return ops.matmul(matrix, ops.reshape(values, (0, channels, -1)))
