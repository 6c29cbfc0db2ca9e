"""The plain network: DRSformer, all of it in this one file.

Chen, Li, Li, Pan, "Learning A Sparse Transformer Network for Effective Image Deraining",
CVPR 2023 (arXiv 2303.11950). The section numbers below are those of the paper.

Letters in shapes: B batch, C channels, H height, W width, N = H*W,
c = C / heads (channels of one head), h hidden channels of the feed-forward.

The published checkpoints contain the parameter names, so renaming an attribute here breaks
loading. The plain network is written to be read and to be compared with; what is exported is the
deployment form (`drsformer.export.deployment`), which computes the same.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsformer.config import DRSformerConfig, LayerNormKind

LAYER_NORM_EPS = 1e-5
L2_NORM_EPS = 1e-12
TOP_K_FRACTIONS = ((1, 2), (2, 3), (3, 4), (4, 5))  # numerator, denominator; section 3.2
EXPERT_COUNT = 8
MEFC_STEPS = 4


def top_k_counts(channels: int) -> tuple[int, ...]:
    """Return how many scores each of the four sparse maps keeps per row of `channels` scores."""
    # the checkpoints were trained with float division and truncation
    return tuple(int(channels * n / d) for n, d in TOP_K_FRACTIONS)


class Affine(nn.Module):
    """A norm's scale and, unless BiasFree, its offset; the module gives them their names."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, dim: int, kind: LayerNormKind) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        offset = nn.Parameter(torch.zeros(dim)) if kind == "WithBias" else None
        self.register_parameter("bias", offset)


class LayerNorm(nn.Module):
    """Normalisation over the channels of each pixel."""

    def __init__(self, dim: int, kind: LayerNormKind) -> None:
        super().__init__()
        self.body = Affine(dim, kind)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        centred = x - x.mean(1, keepdim=True)
        scale = torch.rsqrt(centred.square().mean(1, keepdim=True) + LAYER_NORM_EPS)
        weight, bias = self.body.weight, self.body.bias
        if bias is None:  # BiasFree: the variance is centred, the numerator is not
            return x * scale * weight[:, None, None]
        return centred * scale * weight[:, None, None] + bias[:, None, None]


class Attention(nn.Module):
    """Top-k sparse attention between channels (TKSA, section 3.2)."""

    def __init__(self, dim: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, dim * 3, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(dim * 3, dim * 3, 3, padding=1, groups=dim * 3, bias=bias)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=bias)
        self.attn1 = nn.Parameter(torch.tensor([0.2]))
        self.attn2 = nn.Parameter(torch.tensor([0.2]))
        self.attn3 = nn.Parameter(torch.tensor([0.2]))
        self.attn4 = nn.Parameter(torch.tensor([0.2]))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        b, _, height, width = x.shape
        qkv = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
        q, k, v = (t.reshape(b, self.heads, -1, height * width) for t in qkv)  # (B, heads, c, N)
        q = F.normalize(q, dim=-1, eps=L2_NORM_EPS)
        k = F.normalize(k, dim=-1, eps=L2_NORM_EPS)
        scores = (q @ k.transpose(-2, -1)) * self.temperature  # (B, heads, c, c)
        gains = (self.attn1, self.attn2, self.attn3, self.attn4)
        counts = top_k_counts(scores.shape[-1])
        out = sum(
            gain * (sparse_softmax(scores, count) @ v)
            for gain, count in zip(gains, counts, strict=True)
        )  # (B, heads, c, N)
        return self.project_out(out.reshape(b, -1, height, width))


def sparse_softmax(scores: Tensor, count: int) -> Tensor:
    """Return the softmax over the `count` largest entries of each row; exactly `count` are kept."""
    kept = scores.topk(count, dim=-1).indices  # (B, heads, c, count)
    masked = torch.full_like(scores, -torch.inf).scatter(-1, kept, scores.gather(-1, kept))
    return masked.softmax(-1)  # (B, heads, c, c)


class FeedForward(nn.Module):
    """Mixed-scale feed-forward network (MSFN, section 3.3)."""

    def __init__(self, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        both = hidden * 2
        self.project_in = nn.Conv2d(dim, both, 1, bias=bias)
        self.dwconv3x3 = nn.Conv2d(both, both, 3, padding=1, groups=both, bias=bias)
        self.dwconv5x5 = nn.Conv2d(both, both, 5, padding=2, groups=both, bias=bias)
        self.dwconv3x3_1 = nn.Conv2d(both, hidden, 3, padding=1, groups=hidden, bias=bias)
        self.dwconv5x5_1 = nn.Conv2d(both, hidden, 5, padding=2, groups=hidden, bias=bias)
        self.project_out = nn.Conv2d(both, dim, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        x = self.project_in(x)  # (B, 2h, H, W)
        a1, a2 = F.relu(self.dwconv3x3(x)).chunk(2, dim=1)  # each (B, h, H, W)
        b1, b2 = F.relu(self.dwconv5x5(x)).chunk(2, dim=1)
        y1 = F.relu(self.dwconv3x3_1(torch.cat([a1, b1], dim=1)))  # (B, h, H, W)
        y2 = F.relu(self.dwconv5x5_1(torch.cat([a2, b2], dim=1)))
        return self.project_out(torch.cat([y1, y2], dim=1))


class Block(nn.Module):
    """Sparse transformer block (STB, section 3.1)."""

    def __init__(
        self, dim: int, heads: int, hidden: int, bias: bool, layer_norm: LayerNormKind
    ) -> None:
        super().__init__()
        self.norm1 = LayerNorm(dim, layer_norm)
        self.attn = Attention(dim, heads, bias)
        self.norm2 = LayerNorm(dim, layer_norm)
        self.ffn = FeedForward(dim, hidden, bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class SeparableExpert(nn.Module):
    """Depthwise k x k, 1x1, relu, depthwise k x k, 1x1."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=False),
            nn.Conv2d(dim, dim, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=False),
            nn.Conv2d(dim, dim, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        return self.op(x)


class DilatedExpert(nn.Module):
    """Depthwise k x k with dilation 2, then 1x1."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.Conv2d(dim, dim, kernel, padding=kernel - 1, dilation=2, groups=dim, bias=False),
            nn.Conv2d(dim, dim, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        return self.op(x)


class ExpertStep(nn.Module):
    """Eight gated experts, whose joined outputs are mixed to C channels and added to the input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._ops = nn.ModuleList(
            [SeparableExpert(dim, kernel) for kernel in (1, 3, 5, 7)]
            + [DilatedExpert(dim, kernel) for kernel in (3, 5, 7)]
            + [nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)]
        )
        self._out = nn.Sequential(nn.Conv2d(dim * EXPERT_COUNT, dim, 1, bias=False), nn.ReLU())

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:  # (B, C, H, W), (B, 8)
        outputs = [op(x) * gates[:, i, None, None, None] for i, op in enumerate(self._ops)]
        return F.relu(self._out(torch.cat(outputs, dim=1)) + x)  # (B, 8C, H, W) -> (B, C, H, W)


class ExpertGates(nn.Module):
    """The gates: one weight for each step and expert, from the image's average feature."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ca_fc = nn.Sequential(
            nn.Linear(dim, EXPERT_COUNT * 8),
            nn.ReLU(),
            nn.Linear(EXPERT_COUNT * 8, MEFC_STEPS * EXPERT_COUNT),
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        logits = self.ca_fc(x.mean((2, 3)))  # (B, steps * experts)
        return logits.view(-1, MEFC_STEPS, EXPERT_COUNT).softmax(-1)  # (B, steps, experts)


class Pointwise(nn.Module):
    """A 1x1 convolution and relu."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.op = nn.Sequential(nn.Conv2d(dim, dim, 1, bias=False), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        return self.op(x)


class Experts(nn.Module):
    """The convolution `preprocess` and the four expert steps."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.preprocess = Pointwise(dim)
        self._ops = nn.ModuleList([ExpertStep(dim) for _ in range(MEFC_STEPS)])

    def steps(self) -> list[ExpertStep]:
        """Return the four steps, typed."""
        return [step for step in self._ops if isinstance(step, ExpertStep)]

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:  # (B, C, H, W), (B, steps, experts)
        x = self.preprocess(x)
        for i, step in enumerate(self.steps()):
            x = step(x, gates[:, i])
        return x


class MEFC(nn.Module):
    """Mixture-of-experts feature compensator (section 3.4)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ExpertGates(dim), Experts(dim)])

    def parts(self) -> tuple[ExpertGates, Experts]:
        """Return the two layers, typed."""
        gates, experts = self.layers
        assert isinstance(gates, ExpertGates) and isinstance(experts, Experts)
        return gates, experts

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        gates, experts = self.parts()
        return experts(x, gates(x))


class Resample(nn.Module):
    """A 3x3 convolution followed by a pixel shuffle or unshuffle by 2."""

    def __init__(self, dim: int, out: int, shuffle: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(dim, out, 3, padding=1, bias=False), shuffle)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        return self.body(x)


def downsample(dim: int) -> Resample:
    """Return the module (B, C, H, W) -> (B, 2C, H/2, W/2)."""
    return Resample(dim, dim // 2, nn.PixelUnshuffle(2))


def upsample(dim: int) -> Resample:
    """Return the module (B, C, H, W) -> (B, C/2, 2H, 2W)."""
    return Resample(dim, dim * 2, nn.PixelShuffle(2))


class PatchEmbed(nn.Module):
    """A 3x3 convolution from the image to features."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, C, H, W)
        return self.proj(image)


class DRSformer(nn.Module):
    """The network of section 3: a four-level encoder and decoder of sparse transformer blocks.

    Input: (B, 3, H, W), RGB in [0, 1], H and W multiples of 8. Output: the same shape, the
    derained image, not clamped.
    """

    def __init__(self, config: DRSformerConfig) -> None:
        super().__init__()
        self.config = config
        d, bias = config.dim, config.bias

        def level(width: int, index: int, hidden: int) -> nn.Sequential:
            heads, depth = config.heads[index], config.num_blocks[index]
            return nn.Sequential(
                *(Block(width, heads, hidden, bias, config.layer_norm) for _ in range(depth))
            )

        self.patch_embed = PatchEmbed(d)
        self.encoder_level0 = MEFC(d) if config.mefc else nn.Identity()
        self.encoder_level1 = level(d, 0, config.hidden[0])
        self.down1_2 = downsample(d)
        self.encoder_level2 = level(d * 2, 1, config.hidden[1])
        self.down2_3 = downsample(d * 2)
        self.encoder_level3 = level(d * 4, 2, config.hidden[2])
        self.down3_4 = downsample(d * 4)
        self.latent = level(d * 8, 3, config.hidden[3])
        self.up4_3 = upsample(d * 8)
        self.reduce_chan_level3 = nn.Conv2d(d * 8, d * 4, 1, bias=bias)
        self.decoder_level3 = level(d * 4, 2, config.hidden[2])
        self.up3_2 = upsample(d * 4)
        self.reduce_chan_level2 = nn.Conv2d(d * 4, d * 2, 1, bias=bias)
        self.decoder_level2 = level(d * 2, 1, config.hidden[1])
        self.up2_1 = upsample(d * 2)
        self.decoder_level1 = level(d * 2, 0, config.hidden[4])
        self.refinement = MEFC(d * 2) if config.mefc else nn.Identity()
        self.output = nn.Conv2d(d * 2, 3, 3, padding=1, bias=bias)

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, H, W)
        x0 = self.encoder_level0(self.patch_embed(image))  # (B, D, H, W)
        e1 = self.encoder_level1(x0)  # (B, D, H, W)
        e2 = self.encoder_level2(self.down1_2(e1))  # (B, 2D, H/2, W/2)
        e3 = self.encoder_level3(self.down2_3(e2))  # (B, 4D, H/4, W/4)
        y = self.latent(self.down3_4(e3))  # (B, 8D, H/8, W/8)
        y = self.reduce_chan_level3(torch.cat([self.up4_3(y), e3], dim=1))
        y = self.decoder_level3(y)  # (B, 4D, H/4, W/4)
        y = self.reduce_chan_level2(torch.cat([self.up3_2(y), e2], dim=1))
        y = self.decoder_level2(y)  # (B, 2D, H/2, W/2)
        y = self.decoder_level1(torch.cat([self.up2_1(y), e1], dim=1))  # (B, 2D, H, W)
        return self.output(self.refinement(y)) + image
