"""A checkpoint's weights, checked to be those of a DRSformer before they are used.

    checkpoint = checkpoint_from_file(Path("deraining.pth"))
    model = checkpoint.model()

`checkpoint_file` reads the file, `state_dict` finds the weights in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from drsformer.checkpoint_file import content_of
from drsformer.config import DRSformerConfig, config_from_state_dict
from drsformer.errors import CheckpointError
from drsformer.files import sha256_of
from drsformer.model import DRSformer
from drsformer.state_dict import State, some, weights_in


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a file, checked to be those of a DRSformer.

    Attributes:
        path: the file.
        sha256: SHA-256 of the file, hexadecimal.
        container: where the weights were, "params" or "state_dict.model"; "" for a bare state dict.
        state: parameter name to float32 tensor; all numbers are finite.
        config: the hyper-parameters of the network that has these weights.
        remarks: which weights were taken of several, and what was left out; a sentence each.
    """

    path: Path
    sha256: str
    container: str
    state: State
    config: DRSformerConfig
    remarks: tuple[str, ...] = ()

    def model(self) -> DRSformer:
        """Build the plain network with these weights, in eval mode, float32, on the CPU."""
        model = _blank(self.config)
        model.load_state_dict(self.state, strict=True, assign=True)
        return model.eval()


def checkpoint_from_file(path: Path, weights: str | None = None) -> Checkpoint:
    """Read and check a checkpoint.

    Args:
        path: a file of PyTorch or a .safetensors file, by any name.
        weights: name of the weights to take where there are several, such as "params_ema"; None
            for the plain ones.

    Returns:
        The checked weights.

    Raises:
        CheckpointError: the file is missing, unreadable or truncated, or would run code; or its
            parameters are not those of a DRSformer (the message lists missing, unexpected and
            misshapen ones); or a tensor holds NaN or Inf.
    """
    found = weights_in(content_of(path), path, weights)
    config = _checked_config(path, found.state)
    state = {name: tensor.float().contiguous() for name, tensor in found.state.items()}
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{path}: {name} holds NaN or Inf; the training run that wrote it had diverged, "
                "use an earlier checkpoint"
            )
    return Checkpoint(path, sha256_of(path), found.name, state, config, found.remarks)


def _checked_config(path: Path, state: State) -> DRSformerConfig:
    """Return the configuration whose network has exactly these parameters."""
    try:
        config = config_from_state_dict(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: not a DRSformer checkpoint: {error}") from error
    except KeyError as error:
        # compare with the published network, which is the likeliest one
        mismatch = _mismatch(_blank(DRSformerConfig()).state_dict(), state)
        raise CheckpointError(f"{path}: not a DRSformer checkpoint: {mismatch}") from error
    mismatch = _mismatch(_blank(config).state_dict(), state)
    if mismatch:
        raise CheckpointError(f"{path}: almost a {config.variant}, but {mismatch}")
    return config


def _blank(config: DRSformerConfig) -> DRSformer:
    """Build the network without memory for its parameters."""
    with torch.device("meta"):
        return DRSformer(config)


def _mismatch(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Return which parameters differ: a few of each kind and how many; "" if none do."""
    kinds = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "misshapen": [
            f"{name} is {tuple(found[name].shape)}, not {tuple(expected[name].shape)}"
            for name in expected
            if name in found and found[name].shape != expected[name].shape
        ],
    }
    return "; ".join(
        f"{len(names)} {kind}: {some(names)}" for kind, names in kinds.items() if names
    )
