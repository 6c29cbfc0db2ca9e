"""Reads checkpoint files without running code in them, and checks them before they are used.

    checkpoint = checkpoint_from_file(Path("deraining.pth"))
    model = checkpoint.model()

PyTorch files (.pth, .pt or any other suffix) are read with `weights_only=True`. The state dict may
be the whole file or be under `params`, `params_ema` or `state_dict`, and its keys may begin with
the `module.` of a data-parallel run. A .safetensors file holds a bare state dict.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drsformer.config import DRSformerConfig, config_from_state_dict
from drsformer.errors import CheckpointError
from drsformer.files import check_readable, sha256_of
from drsformer.model import DRSformer

CONTAINER_KEYS = ("params", "params_ema", "state_dict")  # the first that is found is used
PARALLEL_PREFIX = "module."
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_REFUSALS = re.compile(
    "global|operand|unsupported", re.IGNORECASE
)  # words of the unpickler's messages
EXAMPLES = 3  # names shown per kind of mismatch

State = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a file, checked to be those of a DRSformer.

    Attributes:
        path: the file.
        sha256: SHA-256 of the file, hexadecimal.
        container: the key that the state dict was under, or "" for a bare state dict.
        state: parameter name to float32 tensor; all numbers are finite.
        config: the hyper-parameters of the network that has these weights.
    """

    path: Path
    sha256: str
    container: str
    state: State
    config: DRSformerConfig

    def model(self) -> DRSformer:
        """Build the plain network with these weights, in eval mode, float32, on the CPU."""
        model = _blank(self.config)
        model.load_state_dict(self.state, strict=True, assign=True)
        return model.eval()


def checkpoint_from_file(path: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Args:
        path: a .pth, .pt or .safetensors file.

    Returns:
        The checked weights.

    Raises:
        CheckpointError: the file is missing, unreadable or truncated, or would run code; or its
            parameters are not those of a DRSformer (the message lists missing, unexpected and
            misshapen ones); or a tensor holds NaN or Inf.
    """
    check_readable(path, CheckpointError, "expected a .pth, .pt or .safetensors file")
    loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    container, state = _unwrap(path, loaded)
    config = _checked_config(path, state)
    state = {name: tensor.float().contiguous() for name, tensor in state.items()}
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{path}: {name} holds NaN or Inf; the training run that wrote it had diverged, "
                "use an earlier checkpoint"
            )
    return Checkpoint(path, sha256_of(path), container, state, config)


def _load_pickle(path: Path) -> Any:
    """Unpickle tensors and plain containers; refuse a file that asks for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files cause warnings about their storage format
            _check_archive(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # hostile bytes can make the unpickler raise anything
        if isinstance(error, pickle.UnpicklingError) and _REFUSALS.search(str(error)):
            raise CheckpointError(
                f"{path} was refused: besides tensors it holds instructions that could run code "
                "when loaded; nothing was run. Save it again as a plain state dict: "
                "torch.save(model.state_dict(), ...)"
            ) from error
        raise CheckpointError(_unreadable(path)) from error


def _check_archive(path: Path) -> None:
    """Raise CheckpointError if a checksum in the file is wrong; PyTorch does not check them."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"{path} is damaged: wrong checksum of {damaged}; copy it again")


def _load_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_unreadable(path)) from error


def _unreadable(path: Path) -> str:
    return (
        f"{path} is not a checkpoint that can be read: truncated, damaged, or another kind of "
        "file; copy it again, or give a .pth, .pt or .safetensors file"
    )


def _unwrap(path: Path, loaded: Any) -> tuple[str, State]:
    """Find the state dict and drop the data-parallel prefix."""
    container = ""
    if isinstance(loaded, Mapping):
        container = next((k for k in CONTAINER_KEYS if isinstance(loaded.get(k), Mapping)), "")
    state = loaded[container] if container else loaded
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(
            f"{path} holds a {type(state).__name__}, not a state dict; expected one at the top "
            f"level or under {', '.join(CONTAINER_KEYS)}"
        )
    odd = [str(k) for k, v in state.items() if not (isinstance(k, str) and _is_plain(v))]
    if odd:
        raise CheckpointError(
            f"{path}: not a state dict of plain floating-point tensors: {len(odd)} are something "
            f"else: {_some(odd)}"
        )
    if all(name.startswith(PARALLEL_PREFIX) for name in state):
        state = {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in state.items()}
    return container, dict(state)


def _is_plain(value: Any) -> bool:
    """Return whether a value is a dense float tensor whose storage holds all its numbers."""
    if not isinstance(value, Tensor) or value.is_nested or value.is_quantized:
        return False
    if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in FLOATS:
        return False
    # with a forged stride of 0, a few bytes could claim to be terabytes
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


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
        f"{len(names)} {kind}: {_some(names)}" for kind, names in kinds.items() if names
    )


def _some(names: list[str]) -> str:
    return ", ".join(name[:80] for name in names[:EXAMPLES]) + (
        ", ..." if len(names) > EXAMPLES else ""
    )
