"""Which model `run` and `evaluate` open: an ONNX file, an engine, the package's, or a checkpoint.

A checkpoint is exported once, into the user's cache, and found there by the hash of its content.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, cast

import drsformer
from drsformer import __version__
from drsformer.engine.manifest import is_engine
from drsformer.errors import DRSformerError
from drsformer.extras import installing
from drsformer.files import sha256_of
from drsformer.runtime.backends.providers import OPENVINO

from .imports import lasting_imports
from .output import Output
from .progress import progress

DEMO_MODEL = Path(drsformer.__file__).parent / "weights" / "demo.onnx"
CHECKPOINT_ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors")
_PICKLES = (b"PK\x03\x04", b"\x80")  # how PyTorch's files begin, since release 1.6 and before


def cache_folder() -> Path:
    """Return the user's folder for what can be made again."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "drs-export"


def opened_file(model: Path, provider: str | None, weights: str | None, output: Output) -> Path:
    """Return the file that the runtime opens: the model itself, or the export of a checkpoint.

    Args:
        model: an ONNX file, an engine or a checkpoint; it may turn out to be missing or bad.
        provider: what will run it, which decides the form of the exported graph.
        weights: name of the weights to take, where a checkpoint has several.
        output: told of an export.

    Raises:
        DRSformerError: the checkpoint cannot be exported, or weights of another file are chosen.
    """
    if is_checkpoint(model):
        return _exported_once(model, provider, weights, output)
    if weights is not None:
        raise DRSformerError(f"--weights is for checkpoints, and {model} is none")
    return model


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint, by its first bytes or its name."""
    if is_engine(path):
        return False
    if path.suffix.lower() in CHECKPOINT_ENDINGS:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return False
    # safetensors: the length of the header in 8 bytes, of which the last are 0, then JSON
    return head.startswith(_PICKLES) or (head[5:8] == b"\0\0\0" and head[8:] == b"{")


def _exported_once(
    checkpoint: Path, provider: str | None, weights: str | None, output: Output
) -> Path:
    runtime = {None: "ort", "cpu": "ort", OPENVINO: "openvino"}.get(provider, "any")
    path = _place_of(checkpoint, runtime, weights)
    if path.exists():
        return path
    try:
        with lasting_imports():
            from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
            from drsformer.export.onnx_from_model import ExportSettings
    except ModuleNotFoundError as error:
        raise DRSformerError(
            f"{checkpoint} is not an ONNX file; a checkpoint is exported first, which needs "
            f"{error.name}, and that is not installed; {installing('export')}"
        ) from error
    with progress() as context:
        settings = ExportSettings(runtime=cast(Any, runtime))
        made = onnx_from_checkpoint(checkpoint, path, settings, context, weights)
    output.note(f"{checkpoint}: exported, and kept for the next run in {path}")
    for remark in made.remarks:
        output.note(remark)
    return path


def _place_of(checkpoint: Path, runtime: str, weights: str | None) -> Path:
    """Return where the export of a checkpoint lies in the cache."""
    try:
        content = sha256_of(checkpoint)
    except OSError as error:
        raise DRSformerError(f"cannot read {checkpoint}: {error.strerror}") from error
    key = "\n".join([content, __version__, runtime, weights or ""])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_folder() / "models" / f"{checkpoint.stem}.{digest}.onnx"
