"""The weight and bias of a LayerNorm fold into the 1x1 convolution that follows it.

Rule:
    conv(n * weight + bias) = conv'(n), where n is the normalised input,
    conv'.weight = conv.weight * weight (over input channels) and
    conv'.bias   = conv.bias + conv.weight @ bias.
Requires:
    a 1x1 convolution without groups. A larger kernel also reads the zero padding, where there is
    no bias.
"""

from drsformer.errors import ExportError
from drsformer.model import LAYER_NORM_EPS, LayerNorm

from ..ops import Conv, Ops, T


def fold_norm(norm: LayerNorm, conv: Conv) -> Conv:
    """Return the convolution that takes the normalised input, without weight and bias."""
    if conv.weight.shape[2:] != (1, 1) or conv.groups != 1:
        raise ExportError(
            f"fold_norm needs a dense 1x1 convolution, got {tuple(conv.weight.shape)}"
        )
    weight, shift = norm.body.weight, norm.body.bias
    bias = conv.bias
    if shift is not None:
        moved = conv.weight[:, :, 0, 0] @ shift
        bias = moved if bias is None else bias + moved
    return Conv(weight=conv.weight * weight[None, :, None, None], bias=bias)


def normalise(ops: Ops[T], x: T, *, channels: int, centred: bool) -> T:  # (B, C, N or H, W)
    """Divide each pixel by its standard deviation over channels, and centre it if asked to.

    `centred` is True for "WithBias" norms and False for "BiasFree" ones.
    """
    with ops.scope("norm"):
        difference = ops.sub(x, ops.channel_mean(x, channels))
        squares = ops.mul(difference, difference)
        variance = ops.channel_mean(squares, channels, plus=LAYER_NORM_EPS)
        deviation = ops.sqrt(variance)  # (B, 1, ...)
        # ONNX Runtime takes eight times as long for a division by the deviation as for this product
        return ops.scale(difference if centred else x, ops.reciprocal(deviation))
