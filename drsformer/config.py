"""The network's hyper-parameters, and how to read them from a state dict."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from drsformer.errors import CheckpointError

LayerNormKind = Literal["WithBias", "BiasFree"]

LEVELS = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")


class HasShape(Protocol):
    """Anything that has a shape: a torch tensor, a numpy array, a safetensors slice."""

    @property
    def shape(self) -> Any: ...


@dataclass(frozen=True)
class DRSformerConfig:
    """The hyper-parameters of `DRSformer`; the defaults are those of the paper.

    Attributes:
        dim: width D of level 1, channels; each further level is twice as wide.
        num_blocks: transformer blocks in levels 1, 2, 3 and the latent.
        heads: attention heads in levels 1, 2, 3 and the latent.
        hidden: feed-forward width h in levels 1, 2, 3, the latent and `decoder_level1`
            (whose width is 2D), channels. The paper has int(width * 2.66).
        bias: whether the block convolutions and the output have a bias.
        layer_norm: "WithBias" centres and shifts, "BiasFree" only scales.
        mefc: whether the network has the two MEFCs (those for Rain200H, DID and DDN do).
    """

    dim: int = 48
    num_blocks: tuple[int, int, int, int] = (4, 6, 6, 8)
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    hidden: tuple[int, int, int, int, int] = (127, 255, 510, 1021, 255)
    bias: bool = False
    layer_norm: LayerNormKind = "WithBias"
    mefc: bool = True

    @property
    def variant(self) -> str:
        """The network's name for users, with or without MEFC."""
        return variant(mefc=self.mefc)

    def to_dict(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON-ready values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def variant(*, mefc: bool) -> str:
    """Return the network's name for users."""
    return "DRSformer with MEFC" if mefc else "DRSformer without MEFC"


def hidden_from_factor(dim: int, factor: float) -> tuple[int, int, int, int, int]:
    """Return the five feed-forward widths for an expansion factor."""
    widths = (dim, dim * 2, dim * 4, dim * 8, dim * 2)
    a, b, c, d, e = (int(width * factor) for width in widths)
    return a, b, c, d, e


def config_from_state_dict(state: Mapping[str, HasShape]) -> DRSformerConfig:
    """Read every hyper-parameter from the names and shapes of a state dict.

    Args:
        state: parameter name to tensor; only names and shapes are read.

    Returns:
        The configuration whose network has these parameters, if there is one. Only loading
        the state dict with `strict=True` shows that there is.

    Raises:
        KeyError: a parameter that every DRSformer has is missing; its name is the argument.
        CheckpointError: the sizes are none that a DRSformer can have.
    """
    config = DRSformerConfig(
        dim=_size(state, "patch_embed.proj.weight"),
        num_blocks=_per_level(state, _depth),
        heads=_per_level(state, _heads),
        hidden=(*_per_level(state, _hidden), _hidden(state, "decoder_level1")),
        bias="encoder_level1.0.attn.qkv.bias" in state,
        layer_norm="WithBias" if "encoder_level1.0.norm1.body.bias" in state else "BiasFree",
        mefc="encoder_level0.layers.1.preprocess.op.0.weight" in state,
    )
    _check_widths(config)
    return config


def _check_widths(config: DRSformerConfig) -> None:
    """Raise CheckpointError if channels cannot be halved or cannot be split into the heads."""
    if config.dim < 2 or config.dim % 2:
        raise CheckpointError(f"the width is {config.dim}; it must be even, to be halved")
    if min(config.hidden) < 1:
        raise CheckpointError(f"feed-forward widths {config.hidden} must be at least 1")
    widths = [config.dim * 2**i for i in range(4)] + [config.dim * 2]
    for width, heads in zip(widths, (*config.heads, config.heads[0]), strict=True):
        if heads < 1 or width % heads:
            raise CheckpointError(f"{width} channels cannot be split into {heads} heads")


def _per_level(
    state: Mapping[str, HasShape], read: Callable[[Mapping[str, HasShape], str], int]
) -> tuple[int, int, int, int]:
    a, b, c, d = (read(state, level) for level in LEVELS)
    return a, b, c, d


def _depth(state: Mapping[str, HasShape], level: str) -> int:
    """Count the blocks of a level: a forged index must not build a network of that size."""
    pattern = re.compile(rf"{level}\.(\d+)\.")
    return len({m[1] for m in map(pattern.match, state) if m})


def _heads(state: Mapping[str, HasShape], level: str) -> int:
    return _size(state, f"{level}.0.attn.temperature")


def _hidden(state: Mapping[str, HasShape], level: str) -> int:
    return _size(state, f"{level}.0.ffn.dwconv3x3.weight") // 2


def _size(state: Mapping[str, HasShape], name: str) -> int:
    """Return a tensor's first size; 0 for a scalar, which has none."""
    shape = state[name].shape
    return int(shape[0]) if len(shape) else 0
