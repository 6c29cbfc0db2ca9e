"""Checkpoints as training tools write them: weights are found, or refused by a true sentence."""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import pathlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from drsformer.checkpoint import checkpoint_from_file
from drsformer.errors import CheckpointError
from drsformer.model import DRSformer

from ..conftest import TINY
from ..fill_weights import fill

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    shapes = {key: tuple(value.shape) for key, value in DRSformer(TINY).state_dict().items()}
    return {key: torch.from_numpy(value) for key, value in fill(shapes).items()}


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def halved(state: State) -> State:
    return {name: tensor * 0.5 for name, tensor in state.items()}


def compiled_inside(state: State) -> State:
    """Name the blocks as torch.compile of each block does."""
    return {name.replace(".attn.", "._orig_mod.attn."): tensor for name, tensor in state.items()}


SCALAR = torch.tensor(3)
# content, and where the weights are said to be
FOUND: dict[str, tuple[Callable[[State], Any], str]] = {
    "bare": (lambda s: s, ""),
    "ordered": (collections.OrderedDict, ""),
    "parameters": (lambda s: {k: torch.nn.Parameter(v) for k, v in s.items()}, ""),
    "params": (lambda s: {"params": s}, "params"),
    "params_ema": (lambda s: {"params_ema": s}, "params_ema"),
    "state_dict": (lambda s: {"state_dict": s, "epoch": 3}, "state_dict"),
    "model": (lambda s: {"model": s, "optimizer": {"state": {0: {"step": SCALAR}}}}, "model"),
    "net": (lambda s: {"net": s}, "net"),
    "model_state_dict": (lambda s: {"model_state_dict": s}, "model_state_dict"),
    "generator": (lambda s: {"generator": s, "discriminator": {"c.weight": torch.ones(3)}},
                  "generator"),
    "any key": (lambda s: {"my weights": s}, "my weights"),
    "nested": (lambda s: {"state_dict": {"params": s}}, "state_dict.params"),
    "deepspeed": (lambda s: {"module": s}, "module"),
    "module.": (lambda s: prefixed(s, "module."), ""),
    "_orig_mod.": (lambda s: {"params": prefixed(s, "_orig_mod.")}, "params"),
    "_orig_mod.module.": (lambda s: prefixed(s, "_orig_mod.module."), ""),
    "module._orig_mod.": (lambda s: prefixed(s, "module._orig_mod."), ""),
    "compiled inside": (compiled_inside, ""),
    "model.": (lambda s: {"state_dict": prefixed(s, "model.")}, "state_dict.model"),
    "module.net_g.": (lambda s: prefixed(s, "module.net_g."), "net_g"),
    "net_g.module.": (lambda s: prefixed(s, "net_g.module."), "net_g"),
    "a.b.c.": (lambda s: prefixed(s, "a.b.c."), "a.b.c"),
    "float16": (lambda s: {k: v.half() for k, v in s.items()}, ""),
    "bfloat16": (lambda s: {k: v.bfloat16() for k, v in s.items()}, ""),
    "float64": (lambda s: {k: v.double() for k, v in s.items()}, ""),
    "numpy scalar": (lambda s: {"params": s, "best": np.float64(31.2), "n": np.int64(3)}, "params"),
    "numpy array": (lambda s: {"params": s, "losses": np.ones(3)}, "params"),
    "argparse": (lambda s: {"params": s, "args": argparse.Namespace(lr=1)}, "params"),
    "namespace": (lambda s: {"params": s, "args": types.SimpleNamespace(lr=1)}, "params"),
    "path": (lambda s: {"params": s, "folder": pathlib.PurePosixPath("a/b")}, "params"),
    "date": (lambda s: {"params": s, "when": datetime.datetime(2026, 1, 1)}, "params"),
    "set": (lambda s: {"params": s, "seen": {1, 2}}, "params"),
    "epoch inside": (lambda s: {**s, "epoch": 3}, ""),
}  # fmt: skip


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("shape", FOUND)
def test_weights_are_found_whatever_wraps_them(shape: str, state: State, tmp_path: Path) -> None:
    make, name = FOUND[shape]
    checkpoint = checkpoint_from_file(saved(make(state), tmp_path / "checkpoint"))
    assert checkpoint.container == name and checkpoint.state.keys() == state.keys()
    expected = state["output.weight"]
    if shape in ("float16", "bfloat16"):
        expected = expected.to(getattr(torch, shape)).float()
    assert torch.equal(checkpoint.state["output.weight"], expected)


COUNTERS: dict[str, tuple[Callable[[State], Any], str]] = {
    "thop": (
        lambda s: {"params": {**s, "total_ops": torch.zeros(1), "latent.0.total_params": SCALAR}},
        "left out because they are no weights: total_ops, latent.0.total_params",
    ),
    "averaged model": (
        lambda s: {**prefixed(s, "module."), "n_averaged": SCALAR},
        "left out because they are no weights: n_averaged",
    ),
    "unknown whole number": (lambda s: {**s, "seen.images": SCALAR}, "no weights: seen.images"),
    "another network": (
        lambda s: {"state_dict": {**prefixed(s, "model."), "loss.vgg.weight": torch.ones(3)}},
        "left out because they are not of the network: loss.vgg.weight",
    ),
}


def test_what_is_left_out_is_named_beside_other_weights_too(state: State, tmp_path: Path) -> None:
    wrapped = {**prefixed(state, "model."), "loss.vgg.weight": torch.ones(3)}
    content = {"params": wrapped, "params_ema": halved(state)}
    checkpoint = checkpoint_from_file(saved(content, tmp_path / "checkpoint"), "params.model")
    (said,) = checkpoint.remarks
    assert said.endswith("not of the network: loss.vgg.weight")


@pytest.mark.parametrize("shape", COUNTERS)
def test_what_is_left_out_is_named(shape: str, state: State, tmp_path: Path) -> None:
    make, remark = COUNTERS[shape]
    checkpoint = checkpoint_from_file(saved(make(state), tmp_path / "checkpoint"))
    assert checkpoint.state.keys() == state.keys()
    (said,) = checkpoint.remarks
    assert remark in said


SEVERAL: dict[str, tuple[Callable[[State], Any], str, str]] = {  # content, taken, the other
    "params": (lambda s: {"params_ema": halved(s), "params": s}, "params", "params_ema"),
    "state_dict": (lambda s: {"state_dict_ema": halved(s), "state_dict": s}, "state_dict",
                   "state_dict_ema"),
    "flat": (lambda s: {**prefixed(halved(s), "ema."), **s}, "", "ema"),
    "prefixes": (lambda s: {**prefixed(halved(s), "ema_model."), **prefixed(s, "online_model.")},
                 "online_model", "ema_model"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SEVERAL)
def test_of_several_weights_one_is_taken_and_said(shape: str, state: State, tmp_path: Path) -> None:
    make, taken, other = SEVERAL[shape]
    path = saved(make(state), tmp_path / "checkpoint")
    checkpoint = checkpoint_from_file(path)
    assert checkpoint.container == taken
    assert checkpoint.remarks == (
        f"took the weights under {taken or 'no name'}; there are others: --weights {other}",
    )
    assert torch.equal(checkpoint.state["output.weight"], state["output.weight"])
    asked = checkpoint_from_file(path, other)
    assert asked.container == other and asked.remarks == ()
    assert torch.equal(asked.state["output.weight"], state["output.weight"] * 0.5)
    with pytest.raises(CheckpointError, match="no weights under 'x'; it has: "):
        checkpoint_from_file(path, "x")


class Unknown:
    """A class that only the training script has."""


def part_of(state: State, path: Path) -> Path:
    names = list(state)[10:]
    save_file({name: state[name].contiguous() for name in names}, path)
    return path


REFUSED: dict[str, tuple[Callable[[State, Path], Path], str]] = {
    "code": (lambda s, p: saved({"params": s, "x": Unknown()}, p), "shapes.Unknown"),
    "defaultdict": (lambda s, p: saved({"params": s, "x": collections.defaultdict(list, a=[1])}, p),
                    "holds collections.defaultdict"),
    "fp8": (lambda s, p: saved({k: v.to(torch.float8_e4m3fn) for k, v in s.items()}, p),
            "torch.float8_e4m3fn"),
    "optimizer alone": (lambda s, p: saved({"optimizer": {"state": {}}, "epoch": 1}, p),
                        "without a state dict"),
    "older network": (lambda s, p: saved({k: v for k, v in s.items() if ".attn1" not in k}, p),
                      "missing: encoder_level1.0.attn.attn1"),
    "part": (lambda s, p: part_of(s, p.with_name("model-00002-of-00003.safetensors")),
             "is part 2 of 3 of a checkpoint"),
    "lfs": (lambda s, p: written(p, b"version https://git-lfs.github.com/spec/v1\n"), "git lfs"),
    "page": (lambda s, p: written(p, b"<!doctype html><html></html>"), "is a web page"),
    "index": (lambda s, p: written(p, b'{"weight_map": {}}'), "is JSON"),
    "extra weight": (lambda s, p: saved({**s, "gain": torch.ones(1)}, p), "1 unexpected: gain"),
}  # fmt: skip


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("shape", REFUSED)
def test_what_cannot_be_used_is_refused_by_name(shape: str, state: State, tmp_path: Path) -> None:
    make, sentence = REFUSED[shape]
    path = make(state, tmp_path / "checkpoint.pth")
    with pytest.raises(CheckpointError) as caught:
        checkpoint_from_file(path)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_nothing_is_executed_by_what_is_allowed_beside_weights(
    state: State, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {marker}",)

    for wrapped in (
        np.array([Evil()], dtype=object),
        argparse.Namespace(x=Evil()),
        np.zeros(1, [("a", "f8")]),  # a structure could hold a pointer
    ):
        with pytest.raises(CheckpointError, match="could run code"):
            checkpoint_from_file(saved({"params": state, "x": wrapped}, tmp_path / "evil.pth"))
    assert not marker.exists()


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a", "a.ckpt"])
def test_a_file_is_known_by_its_content(name: str, state: State, tmp_path: Path) -> None:
    contiguous = {key: value.contiguous() for key, value in state.items()}
    save_file(prefixed(contiguous, "params_ema."), tmp_path / name)
    assert checkpoint_from_file(tmp_path / name).container == "params_ema"
    torch.save(state, tmp_path / name)
    assert checkpoint_from_file(tmp_path / name).container == ""
    torch.save({"state_dict": state}, tmp_path / name, _use_new_zipfile_serialization=False)
    assert checkpoint_from_file(tmp_path / name).container == "state_dict"


def test_a_checksum_that_was_not_written_is_accepted(state: State, tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = saved({"params": state}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert checkpoint_from_file(path).state.keys() == state.keys()
