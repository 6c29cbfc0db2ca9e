"""Finds the weights of a DRSformer in what a checkpoint holds.

Training tools wrap weights in their own ways: under a key (`params`, `state_dict`, `generator`),
with a prefix (`module.`, `net_g.`), with the names of wrappers inside (`_orig_mod`), beside
counters, averages and other networks. The weights are known by their names: wherever a name ends
with the first parameter of the network, what stands before it is the wrapping.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drsformer.errors import CheckpointError

FIRST_PARAMETER = "patch_embed.proj.weight"
# what torch.compile, data-parallel, FSDP and activation checkpointing put into a parameter's name
WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
# what profilers, averagers and training loops keep beside the weights, one number each
COUNTERS = {
    "total_ops", "total_params", "total_flops", "total_macs", "n_averaged", "num_updates", "decay",
    "num_batches_tracked", "initted", "step", "global_step", "epoch", "iter", "iteration",
}  # fmt: skip
USUAL = "params"  # the key that is taken first
AVERAGES = ("ema", "averag", "swa")  # words in the name of weights that are not the plain ones
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
DEEPEST = 4  # containers inside each other
EXAMPLES = 3  # names shown in a message

_PART = re.compile(r"-(\d{5})-of-(\d{5})")  # how a checkpoint in several files is named

State = dict[str, Tensor]


@dataclass(frozen=True)
class FoundWeights:
    """Weights that were found in a checkpoint.

    Attributes:
        name: where they were, "params" or "state_dict.model"; "" for a bare state dict.
        state: parameter name to tensor, still unchecked.
        remarks: what was left out, a sentence each.
    """

    name: str
    state: State
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    containers: tuple[str, ...]
    prefix: str
    entries: Mapping[str, Any]

    @property
    def name(self) -> str:
        return ".".join([*self.containers, *filter(None, self.prefix.split("."))])


def weights_in(content: Any, path: Path, wanted: str | None = None) -> FoundWeights:
    """Find the weights in the content of a checkpoint.

    Args:
        content: what `checkpoint_file.content_of` returned.
        path: the file, for messages.
        wanted: the name of the weights to take, where there are several; None for the plain ones.

    Raises:
        CheckpointError: there are none, or none of this name, or they are no plain tensors.
    """
    candidates = list(_candidates(content)) or [_largest(content, path)]
    chosen = _chosen(candidates, path, wanted)
    rest = [one for one in candidates if one is not chosen]
    in_same_place = [one.prefix for one in rest if one.containers == chosen.containers]
    state, counters, beside = _sorted_out(chosen, in_same_place, path)
    remarks = []
    if rest and wanted is None:
        remarks.append(
            f"took the weights under {chosen.name or 'no name'}; there are others: "
            + ", ".join(f"--weights {one.name}" for one in rest)
        )
    if counters:
        remarks.append(f"left out because they are no weights: {some(counters)}")
    if beside:
        remarks.append(f"left out because they are not of the network: {some(beside)}")
    return FoundWeights(chosen.name, state, tuple(remarks))


def _chosen(candidates: list[_Candidate], path: Path, wanted: str | None) -> _Candidate:
    """Return the weights of this name, or the plain ones."""
    if wanted is None:
        return min(candidates, key=_preference)
    for candidate in candidates:
        if candidate.name == wanted:
            return candidate
    names = ", ".join(one.name or "(bare)" for one in candidates)
    raise CheckpointError(f"{path} has no weights under {wanted!r}; it has: {names}")


def some(names: list[str]) -> str:
    """Return the first few names."""
    return ", ".join(name[:80] for name in names[:EXAMPLES]) + (
        ", ..." if len(names) > EXAMPLES else ""
    )


def _candidates(
    content: Any, containers: tuple[str, ...] = (), seen: frozenset[int] = frozenset()
) -> Iterator[_Candidate]:
    """Yield each place where the network's first parameter is, outer ones first."""
    if not isinstance(content, Mapping) or id(content) in seen or len(containers) > DEEPEST:
        return
    entries = _unwrapped(content)
    for name, value in entries.items():
        if isinstance(value, Tensor) and (name == FIRST_PARAMETER
                                          or name.endswith(f".{FIRST_PARAMETER}")):  # fmt: skip
            yield _Candidate(containers, name.removesuffix(FIRST_PARAMETER), entries)
    for key, value in content.items():
        yield from _candidates(value, (*containers, str(key)), seen | {id(content)})


def _unwrapped(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Drop the names of wrappers from the keys, unless two keys would become one."""
    keys = [key for key in content if isinstance(key, str)]
    short = [".".join(part for part in key.split(".") if part not in WRAPPERS) for key in keys]
    if len(set(short)) < len(keys):
        short = keys
    return {new: content[old] for new, old in zip(short, keys, strict=True)}


def _preference(candidate: _Candidate) -> tuple[bool, bool]:
    """Order candidates: `params`, then what is no average; else as in the file."""
    average = any(word in candidate.name.lower() for word in AVERAGES)
    return candidate.name != USUAL, average


def _largest(content: Any, path: Path) -> _Candidate:
    """Return the container with the most tensors, to say what is wrong with it."""
    part = _PART.search(path.name)
    if part:
        raise CheckpointError(
            f"{path} is part {int(part[1])} of {int(part[2])} of a checkpoint, and not the one "
            "that begins it; save the weights in one file: torch.save(model.state_dict(), ...)"
        )
    found = [
        _Candidate(containers, "", entries)
        for containers, entries in _containers(content)
        if any(isinstance(value, Tensor) for value in entries.values())
    ]
    if not found:
        raise CheckpointError(
            f"{path} holds a {type(content).__name__} without a state dict; expected the weights "
            "of a DRSformer, as torch.save(model.state_dict(), ...) writes them"
        )
    return max(found, key=lambda one: len(one.entries))


def _containers(
    content: Any, above: tuple[str, ...] = (), seen: frozenset[int] = frozenset()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if not isinstance(content, Mapping) or id(content) in seen or len(above) > DEEPEST:
        return
    yield above, _unwrapped(content)
    for key, value in content.items():
        yield from _containers(value, (*above, str(key)), seen | {id(content)})


def _sorted_out(
    candidate: _Candidate, other_prefixes: list[str], path: Path
) -> tuple[State, list[str], list[str]]:
    """Return the tensors under the prefix, and the names of counters and of other tensors.

    Other weights in the same container, which are named already, are left out.
    """
    longer = tuple(one for one in other_prefixes if len(one) > len(candidate.prefix))
    state: State = {}
    counters, others, odd = [], [], []
    for name, value in candidate.entries.items():
        inside = name.startswith(candidate.prefix)
        if isinstance(value, Mapping) or name.startswith(
            longer if inside else tuple(other_prefixes)
        ):
            continue
        if _is_counter(name, value):
            counters.append(name)
        elif not inside:
            others.append(name)
        elif _is_plain(value):
            state[name.removeprefix(candidate.prefix)] = value
        else:
            odd.append(name)
    if odd:
        kind = getattr(candidate.entries[odd[0]], "dtype", "something else")
        raise CheckpointError(
            f"{path}: not a state dict of plain tensors of float16, bfloat16, float32 or float64: "
            f"{len(odd)} are something else, {kind} for one: {some(odd)}"
        )
    return state, counters, others


def _is_counter(name: str, value: Any) -> bool:
    """Whether an entry is one number that is no weight: a known name, or a whole number."""
    if not isinstance(value, Tensor):
        return True  # a number or a text of the training loop
    if value.layout != torch.strided or value.numel() != 1:
        return False
    return name.split(".")[-1] in COUNTERS or not (value.is_floating_point() or value.is_complex())


def _is_plain(value: Any) -> bool:
    """Return whether a value is a dense float tensor whose storage holds all its numbers."""
    if not isinstance(value, Tensor) or value.is_nested or value.is_quantized:
        return False
    if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in FLOATS:
        return False
    # with a forged stride of 0, a few bytes could claim to be terabytes
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
