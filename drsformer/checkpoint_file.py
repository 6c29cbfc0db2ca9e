"""Reads a checkpoint file, whatever its name, without running code that it may hold.

What a file is follows from its first bytes. PyTorch's files are unpickled with `weights_only=True`;
besides tensors, only values that can do nothing are allowed: NumPy's numbers and arrays, settings,
paths, dates and counts.
"""

import argparse
import datetime
import pathlib
import pickle
import re
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsformer.errors import CheckpointError
from drsformer.files import check_readable

EXPECTED = "expected a .pth, .pt or .safetensors file"
OTHER_KINDS = {  # how files begin that people take for checkpoints
    b"version https://git-lfs": "a pointer of Git LFS instead of the file; run `git lfs pull`",
    b"<!DOCTYPE": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
    b"\x89HDF": "an HDF5 file, as Keras writes them; give a file of PyTorch",
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"Rar!": "an archive (RAR); unpack it first",
    b"7z\xbc\xaf": "an archive (7-Zip); unpack it first",
    b"\x89PNG": "an image (PNG); give the file with the weights",
    b"\xff\xd8\xff": "an image (JPEG); give the file with the weights",
    b"GGUF": "a GGUF file; give a file of PyTorch",
    b"{": "JSON, an index or a configuration; give the file with the weights",
}
SAFETENSORS_HEAD = 8  # bytes, the length of the JSON header behind them
_GLOBAL = re.compile(r"(?:GLOBAL|global|class) '?([\w.]+\.\w+)")
# words of the unpickler's messages about instructions that it does not follow
_REFUSAL = re.compile("global|operand|unsupported|can only", re.IGNORECASE)
# how NumPy pickles a number and an array; the name of their module is of NumPy 1, or of NumPy 2
_NUMPY_CALLS = [
    (value.__reduce__()[0], f"{package}.multiarray.{name}")
    for value, name in ((np.float64(), "scalar"), (np.zeros(1), "_reconstruct"))
    for package in ("numpy.core", "numpy._core")
]
_DTYPES = [  # of numbers, texts and dates; what the others hold is not plain, as a pointer
    kind for name in dir(np.dtypes)
    if name.endswith("DType") and name not in ("ObjectDType", "VoidDType", "StringDType")
    and isinstance(kind := getattr(np.dtypes, name), type)
]  # fmt: skip
# what else training scripts keep beside weights: settings, paths, dates and counts
_PATHS = [
    (kind, f"{module}.{kind.__name__}")
    for kind in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath)
    for module in ("pathlib", "pathlib._local")  # the second in Python 3.13
] + [(pathlib.PureWindowsPath, f"{module}.WindowsPath") for module in ("pathlib", "pathlib._local")]
_VALUES = [
    argparse.Namespace, types.SimpleNamespace, datetime.datetime, datetime.date, datetime.timedelta,
    datetime.timezone, dict, list, set, int, float, str,
]  # fmt: skip
DATA_ONLY: list[Any] = [*_NUMPY_CALLS, np.dtype, np.ndarray, *_DTYPES, *_PATHS, *_VALUES]


def content_of(path: Path) -> Any:
    """Return what a checkpoint file holds: tensors in plain containers.

    Raises:
        CheckpointError: the file is missing, unreadable, truncated or of another kind, or would
            run code.
    """
    check_readable(path, CheckpointError, EXPECTED)
    with path.open("rb") as file:
        head = file.read(64)
    for start, what in OTHER_KINDS.items():
        if head.lstrip().lower().startswith(start.lower()):
            raise CheckpointError(f"{path} is {what}")
    if head[SAFETENSORS_HEAD : SAFETENSORS_HEAD + 1] == b"{":
        return _from_safetensors(path)
    return _from_pickle(path)


def _from_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_unreadable(path)) from error


def _from_pickle(path: Path) -> Any:
    """Unpickle tensors and plain values; refuse a file that asks for anything else."""
    try:
        _check_archive(path)
        with (
            path.open("rb") as file,  # by a path, PyTorch would go by the name's ending
            warnings.catch_warnings(),
            torch.serialization.safe_globals(DATA_ONLY),
        ):
            warnings.simplefilter("ignore")  # old files cause warnings about their storage format
            return torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # hostile bytes can make the unpickler raise anything
        if isinstance(error, pickle.UnpicklingError) and _REFUSAL.search(str(error)):
            raise CheckpointError(_refused(path, str(error))) from error
        raise CheckpointError(_unreadable(path)) from error


def _check_archive(path: Path) -> None:
    """Raise CheckpointError for a wrong checksum, which PyTorch does not look at.

    A checksum of 0 is one that was not written (`torch.serialization.set_crc32_options`).
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.filename.endswith("/constants.pkl") for member in members):
            raise CheckpointError(
                f"{path} is a TorchScript program; save its weights: "
                "torch.save(torch.jit.load(...).state_dict(), ...)"
            )
        for member in members:
            if member.CRC == 0:
                continue
            try:
                with archive.open(member) as file:
                    while file.read(2**20):
                        pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f"{path} is damaged: wrong checksum of {member.filename}; copy it again"
                ) from error


def _refused(path: Path, reason: str) -> str:
    named = _GLOBAL.search(reason)
    what = named[1] if named else "instructions"
    return (
        f"{path} was refused: besides tensors it holds {what}, and what is no plain value could "
        "run code when it is loaded; nothing was run. Save it again as a plain state dict: "
        "torch.save(model.state_dict(), ...)"
    )


def _unreadable(path: Path) -> str:
    return (
        f"{path} is not a checkpoint that can be read: truncated, damaged, or another kind of "
        "file; copy it again, or give a .pth, .pt or .safetensors file"
    )
