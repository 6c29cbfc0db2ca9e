"""The deployment form: the network after every exact rewrite, which is what is exported.

    deployment = deployment_from_model(model)
    restored = deployment(TorchOps(), image)

It computes what the plain network computes (tests/export/test_deployment.py), with about a
quarter of the operators. Its tensors are functions of the model's parameters, so gradients flow
through it; the shipped checkpoint was trained in this form.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from drsformer.model import (
    MEFC,
    Attention,
    Block,
    DRSformer,
    FeedForward,
    LayerNorm,
    Resample,
    top_k_counts,
)

from .ops import Conv, Ops, T, conv_from_module, split_outputs
from .rewrites.fold_experts import FoldedMEFC, fold_mefc
from .rewrites.fold_norm import fold_norm, normalise
from .rewrites.fold_project_out import apply_map, projection_per_head
from .rewrites.norms_after_product import scores_from_raw
from .rewrites.one_top_k import merged_map
from .rewrites.split_feed_forward import SplitFeedForward, split_feed_forward
from .rewrites.strided_downsample import strided_downsample

REWRITES = (
    "fold_norm",
    "norms_after_product",
    "one_top_k",
    "fold_project_out",
    "split_feed_forward",
    "fold_experts",
    "strided_downsample",
)

# The runtime that the graph is shaped for; the file runs in all of them. They need two things:
#   Averages over channels are fast in ONNX Runtime only as a product over (B, C, N), and in
#   OpenVINO only over (B, C, H, W), where it keeps its own layout.
#   A tensor between two operators is read fast only if it fits the processor's cache. So for ONNX
#   Runtime on a CPU ("ort") the large feed-forwards are split into parts, which takes more nodes.
#   (OpenVINO would run faster too, but lose that time in compiling: docs/decisions.md.)
Runtime = Literal["any", "ort", "openvino"]

# the levels with many pixels, and the parts that "ort" splits their feed-forwards into
LARGE_LEVELS = ("encoder_level1", "encoder_level2", "decoder_level2", "decoder_level1")
PARTS = 4


@dataclass(frozen=True)
class DeployedAttention:
    """Top-k sparse attention (TKSA) with one top-k and one product with v.

    Attributes:
        flat: whether norms and sums work on (B, C, N) rather than (B, C, H, W).
        centred: see `normalise`.
        qkv: the 1x1 convolutions of q, k and v, with the norm folded in.
        qkv_dwconv: the depthwise convolutions of q, k and v.
        temperature: (heads, 1, 1).
        gains: the weights of the four sparse maps.
        counts: how many entries each sparse map keeps per row.
        projection: see `projection_per_head`.
        bias: the bias of project_out.
    """

    flat: bool
    centred: bool
    qkv: tuple[Conv, ...]
    qkv_dwconv: tuple[Conv, ...]
    temperature: Tensor
    gains: tuple[Tensor, ...]
    counts: tuple[int, ...]
    projection: Tensor
    bias: Tensor | None

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        """Return x + attention(norm(x)); its shape is (B, C, N) if flat."""
        heads, channels, width = self.projection.shape  # width: c, channels of one head
        pixels = ops.reshape(x, (0, channels, -1)) if self.flat else x
        normal = normalise(ops, pixels, channels=channels, centred=self.centred)
        normal = ops.reshape_like(normal, x) if self.flat else normal
        q, k, v = (
            ops.conv(f"qkv_dwconv.{name}", ops.conv(f"qkv.{name}", normal, conv), depthwise)
            for name, conv, depthwise in zip("qkv", self.qkv, self.qkv_dwconv, strict=True)
        )  # each (B, C, H, W)
        scores = scores_from_raw(
            ops, q, k, self.temperature, heads=heads, width=width
        )  # (B, heads, c, c)
        attention = merged_map(ops, scores, self.gains, self.counts, heads=heads, width=width)
        out = apply_map(ops, attention, v, self.projection)  # (B, C, N)
        if self.bias is not None:
            out = ops.add(out, ops.constant("project_out.bias", self.bias[:, None]))
        return ops.add(out if self.flat else ops.reshape_like(out, x), pixels)


@dataclass(frozen=True)
class DeployedBlock:
    """One transformer block."""

    attention: DeployedAttention
    feed_forward: SplitFeedForward
    centred: bool

    def __call__(self, ops: Ops[T], x: T) -> T:  # (B, C, H, W)
        with ops.scope("attn"):
            pixels = self.attention(ops, x)
        with ops.scope("ffn"):
            channels = self.feed_forward.slices[0].project_out.weight.shape[0]
            normal = normalise(ops, pixels, channels=channels, centred=self.centred)
            if self.attention.flat:
                normal, pixels = (ops.reshape_like(t, x) for t in (normal, pixels))
            return self.feed_forward(ops, normal, residual=pixels)


@dataclass(frozen=True)
class Deployment:
    """The whole network: its rewritten parts, by their name in the model."""

    convs: dict[str, Conv]
    levels: dict[str, tuple[DeployedBlock, ...]]
    mefcs: dict[str, FoldedMEFC]

    def __call__(self, ops: Ops[T], image: T) -> T:
        """Return the derained image, not clamped; (B, 3, H, W) in and out."""
        x = self._mefc(ops, "encoder_level0", self._conv(ops, "patch_embed", image))  # D
        e1 = self._level(ops, "encoder_level1", x)  # (B, D, H, W)
        e2 = self._level(ops, "encoder_level2", self._conv(ops, "down1_2", e1))  # 2D, H/2
        e3 = self._level(ops, "encoder_level3", self._conv(ops, "down2_3", e2))  # 4D, H/4
        y = self._level(ops, "latent", self._conv(ops, "down3_4", e3))  # 8D, H/8
        y = self._conv(ops, "reduce_chan_level3", self._up(ops, "up4_3", y, e3))
        y = self._level(ops, "decoder_level3", y)  # 4D, H/4
        y = self._conv(ops, "reduce_chan_level2", self._up(ops, "up3_2", y, e2))
        y = self._level(ops, "decoder_level2", y)  # 2D, H/2
        y = self._level(ops, "decoder_level1", self._up(ops, "up2_1", y, e1))  # 2D, H
        y = self._conv(ops, "output", self._mefc(ops, "refinement", y))
        return ops.add(y, image)

    def _conv(self, ops: Ops[T], name: str, x: T) -> T:
        return ops.mark(name, ops.conv(name, x, self.convs[name]))

    def _level(self, ops: Ops[T], name: str, x: T) -> T:
        for i, block in enumerate(self.levels[name]):
            with ops.scope(f"{name}.{i}"):
                x = block(ops, x)
        return ops.mark(name, x)

    def _mefc(self, ops: Ops[T], name: str, x: T) -> T:
        if name not in self.mefcs:
            return x
        with ops.scope(name):
            x = self.mefcs[name](ops, x)
        return ops.mark(name, x)

    def _up(self, ops: Ops[T], name: str, x: T, skip: T) -> T:
        """Upsample x and join the skip connection behind it."""
        return ops.concat([ops.depth_to_space(ops.conv(name, x, self.convs[name])), skip])


def deployment_from_model(model: DRSformer, runtime: Runtime = "any") -> Deployment:
    """Apply every rewrite.

    Args:
        model: the plain network, in any dtype; it is not changed.
        runtime: the runtime that it is shaped for.

    Returns:
        The same function as `model`, which `TorchOps` computes and `OnnxOps` records.

    Raises:
        ExportError: a rewrite's precondition does not hold for this model.
    """
    levels = {name: m for name, m in model.named_children() if isinstance(m, nn.Sequential)}
    mefcs = {name: m for name, m in model.named_children() if isinstance(m, MEFC)}
    return Deployment(
        convs=dict(_convs(model)),
        levels={
            name: tuple(deploy_block(block, runtime, _parts(name, runtime)) for block in blocks)
            for name, blocks in levels.items()
        },
        mefcs={name: fold_mefc(m) for name, m in mefcs.items()},
    )


def _convs(model: DRSformer) -> Iterator[tuple[str, Conv]]:
    """Yield the convolutions outside transformer blocks and MEFCs, under their stage's name."""
    yield "patch_embed", conv_from_module(model.patch_embed.proj)
    for name, module in model.named_children():
        if isinstance(module, nn.Conv2d):
            yield name, conv_from_module(module)
        if isinstance(module, Resample):
            conv = conv_from_module(module.body[0])
            down = isinstance(module.body[1], nn.PixelUnshuffle)
            yield name, strided_downsample(conv) if down else conv


def _parts(level: str, runtime: Runtime) -> int:
    """Return the number of parts that the feed-forwards of a level are split into."""
    return PARTS if runtime == "ort" and level in LARGE_LEVELS else 1


def deploy_block(block: nn.Module, runtime: Runtime, parts: int = 1) -> DeployedBlock:
    """Rewrite one transformer block."""
    assert isinstance(block, Block)
    centred = block.norm1.body.bias is not None
    return DeployedBlock(
        attention=deploy_attention(block.attn, block.norm1, runtime),
        feed_forward=deploy_feed_forward(block.ffn, block.norm2, parts),
        centred=centred,
    )


def deploy_attention(attention: Attention, norm: LayerNorm, runtime: Runtime) -> DeployedAttention:
    """Rewrite the attention and the norm before it."""
    project_out = conv_from_module(attention.project_out)
    projection = projection_per_head(project_out, attention.heads)
    return DeployedAttention(
        flat=runtime != "openvino",
        centred=norm.body.bias is not None,
        qkv=split_outputs(fold_norm(norm, conv_from_module(attention.qkv)), 3),
        qkv_dwconv=split_outputs(conv_from_module(attention.qkv_dwconv), 3),
        temperature=attention.temperature,
        gains=gains_of(attention),
        counts=top_k_counts(projection.shape[-1]),
        projection=projection,
        bias=project_out.bias,
    )


def gains_of(attention: Attention) -> tuple[Tensor, ...]:
    """Return the four learned weights of the sparse maps."""
    return (attention.attn1, attention.attn2, attention.attn3, attention.attn4)


def deploy_feed_forward(ffn: FeedForward, norm: LayerNorm, parts: int = 1) -> SplitFeedForward:
    """Rewrite the feed-forward and the norm before it."""
    return split_feed_forward(ffn, fold_norm(norm, conv_from_module(ffn.project_in)), parts)
