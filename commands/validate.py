"""`drs-export validate`: is a file what it should be?"""

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from drsformer.calibration.evaluate.engine_validation import validate_engine
from drsformer.engine.manifest import is_engine, manifest_path, read_manifest
from drsformer.errors import AgreementError
from drsformer.export.onnx_from_checkpoint import raise_unless_passed, validate_file
from drsformer.files import written_whole

from .printing import report_table
from .progress import progress

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
@click.option("--checkpoint", type=FILE, help="What an ONNX FILE was exported from.")
@click.option("--json", "json_path", type=FILE, help="Also write the report to this file.")
def validate(file: Path, checkpoint: Path | None, json_path: Path | None) -> None:
    """Compare an exported FILE with its checkpoint, or an engine with its ONNX file.

    An ONNX file is compared stage by stage. An engine is compared with its manifest and, where
    there is a GPU, with ONNX Runtime; without one it is said what could not be done.
    """
    if is_engine(file):
        if checkpoint is not None:
            raise click.UsageError("an engine is validated without --checkpoint.")
        _validate_engine(file, json_path)
        return
    if checkpoint is None:
        raise click.UsageError("give --checkpoint, what FILE was exported from.")
    with progress() as context:
        report = validate_file(file, checkpoint, context)
    Console().print(report_table(report))
    if json_path:
        with written_whole(json_path, inputs=[file, checkpoint]) as temporary:
            temporary.write_text(report.to_json())
    row = report.first_divergence
    if row is not None:
        click.echo(f"first to diverge: {row.tensor}, {row.psnr_db} dB")
    remedy = "export it again from this checkpoint"
    raise_unless_passed(report, file, remedy=remedy)
    click.echo(f"{file}: agrees with {checkpoint}")


def _validate_engine(file: Path, json_path: Path | None) -> None:
    with progress() as context:
        report = validate_engine(file, on_step=context.step)
    table = Table("check", "outcome", Column("", overflow="fold"))
    for check in report.checks:
        table.add_row(check.what, check.outcome, escape(check.detail))
    Console().print(table)
    for one in report.comparisons:
        if not one.decides:
            click.echo(f"{one.tensor} at {one.shape}: {one.detail}")
    if json_path:
        beside = file.with_name(read_manifest(file).onnx_file)
        with written_whole(json_path, inputs=[file, manifest_path(file), beside]) as temporary:
            temporary.write_text(report.to_json())
    missing = [check.what for check in report.checks if check.outcome == "not done"]
    differing = [check.what for check in report.checks if check.outcome == "differs"]
    if differing:
        raise AgreementError(f"{file} is not what it should be: {', '.join(differing)}")
    if missing:
        click.echo(f"{file}: nothing differs, but not done here: {', '.join(missing)}")
    else:
        click.echo(f"{file}: agrees with its manifest, its ONNX file and ONNX Runtime")
