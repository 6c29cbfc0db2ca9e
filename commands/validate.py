"""`drs-export validate`: is a file what it should be?"""

from dataclasses import replace
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Column, Table

from drsformer.calibration.evaluate.engine_validation import EngineReport, validate_engine
from drsformer.engine.gpu import DEFAULT_DEVICE, gpu_here
from drsformer.engine.manifest import is_engine, manifest_path, read_manifest
from drsformer.errors import AgreementError

from .options import FILE
from .output import Output, output_options
from .printing import report_table
from .progress import progress


@click.command()
@click.argument("file", type=FILE)
@click.option("--checkpoint", type=FILE, help="The checkpoint that an ONNX FILE was exported from; "
              "required for an ONNX FILE, refused for an engine.")  # fmt: skip
@click.option("--device", type=click.IntRange(0), help="GPU to run an engine on, by its CUDA "
              "ordinal; refused for an ONNX FILE.  [default: 0, the first]")  # fmt: skip
@output_options("Print the comparisons too, also where nothing differs.")
def validate(file: Path, checkpoint: Path | None, device: int | None, output: Output) -> None:
    """Check an ONNX FILE against its checkpoint, or an engine against its ONNX file.

    FILE is a file of `onnx`, also with --io uint8, or an engine. A converted file is measured by
    `convert` instead.

    An ONNX file is compared with --checkpoint stage by stage. An engine is compared with its
    manifest and with the ONNX file that it was built from, which must lie beside it; where there
    is a GPU, its output and its stages are compared with ONNX Runtime's. The result says which
    checks could not be made.

    The exit code is 1 if something differs. Checks that could not be made do not change it: see
    `complete` in the JSON.
    """
    if is_engine(file):
        if checkpoint is not None:
            raise click.UsageError("an engine is validated without --checkpoint.")
        if device is not None:
            gpu_here(device)  # without a GPU a validation goes on, but not without one asked for
        _validate_engine(file, device or DEFAULT_DEVICE, output)
        return
    if device is not None:
        raise click.UsageError("--device is for engines; an ONNX file is compared on the CPU.")
    if checkpoint is None:
        raise click.UsageError("give --checkpoint, the one that FILE was exported from.")
    _validate_onnx(file, checkpoint, output)


def _validate_onnx(file: Path, checkpoint: Path, output: Output) -> None:
    # a checkpoint needs torch, an engine does not
    from drsformer.export.onnx_from_checkpoint import raise_unless_passed, validate_file

    with progress() as context:
        report = validate_file(file, checkpoint, context)
    if report.passed:
        output.result(f"{file}: agrees with {checkpoint}")
    row = report.first_divergence
    if row is not None:
        output.result(f"first to diverge: {row.tensor}, {row.psnr_db} dB")
    _shown(output, always=row is not None).detail(report_table(report))
    output.write_json(report.to_dict(), inputs=[file, checkpoint])
    raise_unless_passed(report, file, remedy="export it again from this checkpoint")


def _validate_engine(file: Path, device: int, output: Output) -> None:
    with progress() as context:
        report = validate_engine(file, context, device)
    missing = [check.what for check in report.checks if check.outcome == "not done"]
    differing = [check.what for check in report.checks if check.outcome == "differs"]
    if report.complete and report.passed:
        output.result(f"{file}: agrees with its manifest, its ONNX file and ONNX Runtime")
    elif report.passed:
        output.result(f"{file}: nothing differs, but not done here: {', '.join(missing)}")
    _shown(output, always=not report.passed).detail(_table(report))
    beside = file.with_name(read_manifest(file).onnx_file)
    output.write_json(report.to_dict(), inputs=[file, manifest_path(file), beside])
    if differing:
        raise AgreementError(f"{file} is not what it should be: {', '.join(differing)}")


def _shown(output: Output, *, always: bool) -> Output:
    """Return an output that prints the detail, also without -v."""
    return replace(output, verbose=output.verbose or always)


def _table(report: EngineReport) -> Table:
    """Return the checks, then the stages that were compared on a GPU."""
    table = Table("check", "outcome", Column("", overflow="fold"))
    for check in report.checks:
        table.add_row(check.what, check.outcome, escape(check.detail))
    for one in report.comparisons:
        if not one.decides:
            table.add_row(f"{one.tensor} at {one.shape}", "", one.detail)
    return table
