"""Which model `run` and `evaluate` open: an ONNX file, an engine, the package's, or a checkpoint.

A checkpoint is exported once, into the user's cache, and found there by the hash of its content.
"""

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

import drsformer
from drsformer import __version__
from drsformer.engine.manifest import is_engine
from drsformer.errors import DRSformerError
from drsformer.extras import installing
from drsformer.files import sha256_of, validation_report_path
from drsformer.runtime.backends.providers import OPENVINO

from .imports import lasting_imports
from .output import Output
from .progress import progress

DEMO_MODEL = Path(drsformer.__file__).parent / "weights" / "demo.onnx"
CHECKPOINT_ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors")
ONNX_START = b"\x08"  # the first field of its protobuf, the version of the format
_PICKLES = (b"PK\x03\x04", b"\x80")  # how PyTorch's files begin, since release 1.6 and before


def cache_folder() -> Path:
    """Return the user's folder for what can be made again."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # the rule of those who invented the variable
        root = Path.home() / ".cache"
    return root / "drs-export"


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


def is_model(path: Path) -> bool:
    """Whether a file is a model of any kind, by its name or its first bytes; it may be missing."""
    if path.suffix.lower() == ".onnx" or is_engine(path) or is_checkpoint(path):
        return True
    return _start_of(path)[:1] == ONNX_START


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint, by its first bytes or its name."""
    if is_engine(path):
        return False
    if path.suffix.lower() in CHECKPOINT_ENDINGS:
        return True
    head = _start_of(path)
    # safetensors: the length of the header in 8 bytes, of which the last are 0, then JSON
    return head.startswith(_PICKLES) or (head[5:8] == b"\0\0\0" and head[8:] == b"{")


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a regular file; none where it cannot be read."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError:
        return b""


def _exported_once(
    checkpoint: Path, provider: str | None, weights: str | None, output: Output
) -> Path:
    runtime = {None: "ort", "cpu": "ort", OPENVINO: "openvino"}.get(provider, "any")
    path = _place_of(checkpoint, runtime, weights)
    if _is_whole(path):
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
    folder = _writable(path.parent)
    if folder is None:
        folder = _temporary_folder()
        output.note(f"note: {path.parent} cannot be written, so the export is not kept")
    path = folder / path.name
    with progress() as context:
        settings = ExportSettings(runtime=cast(Any, runtime))
        made = onnx_from_checkpoint(checkpoint, path, settings, context, weights)
    output.note(f"{checkpoint}: exported to {path}")
    for remark in made.remarks:
        output.note(remark)
    return path


def _is_whole(exported: Path) -> bool:
    """Whether an export is there, with the bytes that its report was written for."""
    try:
        report = json.loads(validation_report_path(exported).read_text(encoding="utf-8"))
        return bool(report["model_sha256"] == sha256_of(exported))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _writable(folder: Path) -> Path | None:
    """Return a folder, which is made if needed, where it can be written; else None."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def _temporary_folder() -> Path:
    """Return a folder that is removed when the program ends."""
    name = tempfile.mkdtemp(prefix="drs-export-")
    atexit.register(shutil.rmtree, name, ignore_errors=True)
    return Path(name)


def _place_of(checkpoint: Path, runtime: str, weights: str | None) -> Path:
    """Return where the export of a checkpoint lies in the cache."""
    try:
        content = sha256_of(checkpoint)
    except OSError as error:
        raise DRSformerError(f"cannot read {checkpoint}: {error.strerror}") from error
    key = "\n".join([content, __version__, runtime, weights or ""])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_folder() / "models" / f"{checkpoint.stem}.{digest}.onnx"
