"""Checkpoint file to validated ONNX file: read, rewrite, check, prove, and only then name it."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx

from drsformer.checkpoint import Checkpoint, checkpoint_from_file
from drsformer.contract import METADATA_KEY, shape_text
from drsformer.errors import AgreementError, ExportError
from drsformer.files import sha256_of, written_whole

from .check_against_pytorch import Report, agreement, rewrite_error
from .graph import PRECISION_KEY, load_onnx, metadata_of
from .onnx_from_model import ExportSettings, onnx_from_model
from .uint8_io import check_pixels_agree, has_pixel_io, with_pixel_io, without_pixel_io

OnStep = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        path: the ONNX file.
        report_path: the validation report beside it.
        report: its content.
        nodes: operators in the graph.
    """

    path: Path
    report_path: Path
    report: Report
    nodes: int


def onnx_from_checkpoint(
    path: Path, output: Path, settings: ExportSettings, *, on_step: OnStep = log.info
) -> Exported:
    """Export a checkpoint to an ONNX file that is proved equal to it.

    Args:
        path: the checkpoint.
        output: the ONNX file to write; its report goes beside it, as `report_path` says.
        settings: opset, fixed sizes, form.
        on_step: told what is being done.

    Returns:
        Where things are and how the validation went.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ExportError: the output is not named .onnx, or the graph cannot be made.
        AgreementError: ONNX Runtime's output is not the network's. Nothing was written.
    """
    if output.suffix != ".onnx":
        raise ExportError(f"{output} must end in .onnx")
    on_step(f"reading {path.name}")
    checkpoint = checkpoint_from_file(path)
    model = checkpoint.model()
    on_step("exporting" if settings.plain else "rewriting, proving and exporting")
    rewritten = None if settings.plain else rewrite_error(model, settings.target)
    proto = onnx_from_model(model, settings, {"checkpoint_sha256": checkpoint.sha256})
    if settings.io == "uint8":
        proto = with_pixel_io(proto)
        check_pixels_agree(proto, str(output))
    target = report_path(output)
    with (
        written_whole(target, inputs=[path]) as temporary_report,
        written_whole(output, inputs=[path]) as temporary,
    ):
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
        hashes = (sha256_of(temporary), checkpoint.sha256)
        with _without_pixels(proto, temporary) as compared:
            report = agreement(compared, model, hashes=hashes, rewritten=rewritten, on_step=on_step)
        raise_unless_passed(report, output, remedy="nothing was written; please report this")
        temporary_report.write_text(report.to_json())
    return Exported(output, target, report, len(proto.graph.node))


def validate_file(path: Path, checkpoint_path: Path, *, on_step: OnStep = log.info) -> Report:
    """Compare an exported file with a checkpoint, stage by stage.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ExportError: the file is not ONNX, not ours, or of another kind of network.
        AgreementError: the file cannot be run or gives NaN or Inf.
    """
    on_step(f"reading {checkpoint_path.name}")
    checkpoint = checkpoint_from_file(checkpoint_path)
    proto = load_onnx(path)
    _check_same_network(proto, path, checkpoint)
    hashes = (sha256_of(path), checkpoint.sha256)
    if has_pixel_io(proto):
        check_pixels_agree(proto, str(path))
    with _without_pixels(proto, path) as compared:
        return agreement(compared, checkpoint.model(), hashes=hashes, stages=True, on_step=on_step)


@contextmanager
def _without_pixels(proto: onnx.ModelProto, path: Path) -> Iterator[Path]:
    """Give the file's float32 form: itself, or one beside the system's temporary files."""
    if not has_pixel_io(proto):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "model.onnx"
        inner.write_bytes(without_pixel_io(proto).SerializeToString(deterministic=True))
        yield inner


def _check_same_network(proto: onnx.ModelProto, path: Path, checkpoint: Checkpoint) -> None:
    """Raise ExportError unless the file says it holds the checkpoint's kind of network."""
    metadata = metadata_of(proto)
    if METADATA_KEY not in metadata or "config" not in metadata:
        raise ExportError(
            f"{path} does not say that drs-export made it (no contract or no config in its "
            "metadata); give a file that `drs-export onnx` wrote"
        )
    if PRECISION_KEY in metadata:
        raise ExportError(
            f"{path} is in {metadata[PRECISION_KEY]}, which differs from the checkpoint by design; "
            "validate the float32 file it was converted from; what the precision costs is in the "
            ".precision.json beside it"
        )
    expected = json.dumps(checkpoint.config.to_dict(), sort_keys=True)
    if metadata["config"] != expected:
        raise ExportError(
            f"{path} holds another network than the checkpoint {checkpoint.path}: "
            f"{metadata['config']}, not {expected}"
        )


def report_path(output: Path) -> Path:
    """Return where the report of an exported file lies."""
    return output.with_suffix(".validation.json")


def raise_unless_passed(report: Report, path: Path, *, remedy: str) -> None:
    """Raise AgreementError that names the first tensor out of tolerance."""
    if report.passed:
        return
    row = report.first_divergence
    assert row is not None
    raise AgreementError(
        f"{path} does not compute what the checkpoint does: {row.tensor} differs by up to "
        f"{row.max_error:.2g} at {shape_text(row.shape)}, allowed {report.max_error_allowed:g}; {remedy}"
    )
