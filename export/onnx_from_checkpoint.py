"""Exports a checkpoint to an ONNX file; only a file that passes its validation gets its name."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx

from drsformer.checkpoint import Checkpoint, checkpoint_from_file
from drsformer.context import QUIET, Context
from drsformer.contract import METADATA_KEY, shape_text
from drsformer.errors import AgreementError, ExportError
from drsformer.files import sha256_of, validation_report_path, written_whole

from .check_against_pytorch import AgreementReport, check_against_pytorch, rewrite_error
from .graph import PRECISION_KEY, load_onnx, metadata_of
from .onnx_from_model import ExportSettings, onnx_from_model
from .uint8_io import check_uint8_io, has_uint8_io, with_uint8_io, without_uint8_io

WEIGHTS_KEY = "weights"  # metadata key: which weights, where the checkpoint was asked for others


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        path: the ONNX file.
        report_path: the validation report beside it.
        report: the content of the validation report.
        nodes: number of operators in the graph.
        remarks: which weights of the checkpoint were taken, and what was left out.
    """

    path: Path
    report_path: Path
    report: AgreementReport
    nodes: int
    remarks: tuple[str, ...] = ()


def onnx_from_checkpoint(
    path: Path,
    output: Path,
    settings: ExportSettings,
    context: Context = QUIET,
    weights: str | None = None,
) -> Exported:
    """Export a checkpoint to an ONNX file and check that the two agree.

    Args:
        path: the checkpoint.
        output: the ONNX file to write; its validation report goes beside it.
        settings: opset, fixed sizes, form, runtime, type of input and output.
        context: is told what is being done.
        weights: name of the weights to take, where the checkpoint has several.

    Returns:
        The paths of the two files and the content of the report.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ExportError: the output is not named .onnx, or the graph cannot be made.
        AgreementError: ONNX Runtime's output is not the network's. Nothing was written.
    """
    if output.suffix != ".onnx":
        raise ExportError(f"{output} must end in .onnx")
    context.step(f"reading {path.name}")
    checkpoint = checkpoint_from_file(path, weights)
    metadata = {"checkpoint_sha256": checkpoint.sha256}
    if weights is not None:
        metadata[WEIGHTS_KEY] = weights
    model = checkpoint.model()
    context.step("exporting" if settings.plain else "rewriting, checking and exporting")
    error_float64 = None if settings.plain else rewrite_error(model, settings.runtime)
    proto = onnx_from_model(model, settings, metadata)
    if settings.io == "uint8":
        proto = with_uint8_io(proto)
        check_uint8_io(proto, str(output))
    report_file = validation_report_path(output)
    with (
        written_whole(report_file, inputs=[path]) as temporary_report,
        written_whole(output, inputs=[path]) as temporary,
    ):
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
        hashes = (sha256_of(temporary), checkpoint.sha256)
        with _float32_form(proto, temporary) as compared:
            report = check_against_pytorch(
                compared, model, hashes=hashes, rewrite_error_float64=error_float64, context=context
            )
        raise_unless_passed(report, output, remedy="nothing was written; please report this")
        temporary_report.write_text(report.to_json())
    return Exported(output, report_file, report, len(proto.graph.node), checkpoint.remarks)


def validate_file(path: Path, checkpoint_path: Path, context: Context = QUIET) -> AgreementReport:
    """Compare an exported file with a checkpoint, stage by stage.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ExportError: the file is not ONNX, not ours, or of another kind of network.
        AgreementError: the file cannot be run or gives NaN or Inf.
    """
    context.step(f"reading {checkpoint_path.name}")
    proto = load_onnx(path)
    checkpoint = checkpoint_from_file(checkpoint_path, metadata_of(proto).get(WEIGHTS_KEY))
    _check_same_network(proto, path, checkpoint)
    hashes = (sha256_of(path), checkpoint.sha256)
    if has_uint8_io(proto):
        check_uint8_io(proto, str(path))
    with _float32_form(proto, path) as compared:
        return check_against_pytorch(
            compared, checkpoint.model(), hashes=hashes, stages=True, context=context
        )


@contextmanager
def _float32_form(proto: onnx.ModelProto, path: Path) -> Iterator[Path]:
    """Give a file with float32 input and output: the file itself or a temporary one."""
    if not has_uint8_io(proto):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "model.onnx"
        inner.write_bytes(without_uint8_io(proto).SerializeToString(deterministic=True))
        yield inner


def _check_same_network(proto: onnx.ModelProto, path: Path, checkpoint: Checkpoint) -> None:
    """Raise ExportError unless the file's metadata names the checkpoint's kind of network."""
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


def raise_unless_passed(report: AgreementReport, path: Path, *, remedy: str) -> None:
    """Raise an AgreementError that names the first tensor out of tolerance, if there is one."""
    if report.passed:
        return
    row = report.first_divergence
    assert row is not None
    raise AgreementError(
        f"{path} does not compute what the checkpoint does: {row.tensor} differs by up to "
        f"{row.max_error:.2g} at {shape_text(row.shape)}, allowed is {report.max_error_allowed:g}; "
        f"{remedy}"
    )
