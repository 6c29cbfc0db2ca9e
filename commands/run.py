"""`drs-export run`: derain images, folders and videos."""

import sys
from pathlib import Path

import click

from drsformer.errors import one_line
from drsformer.runtime.derain_files import Report, Settings, derain_files
from drsformer.runtime.media.pictures import DEFAULT_QUALITY

from .progress import progress
from .run_options import Engine, engine_options

_FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "mp4", "mov", "avi", "mkv", "webm")
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_PATH)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="Folder to write into.")
@click.option("--skip-existing", is_flag=True, help="Leave out inputs whose outputs exist.")
@click.option("--compare", is_flag=True, help="Also write NAME.compare.png, both side by side.")
@click.option(
    "--format", "ending", type=click.Choice(_FORMATS), help="To write; by default the input's."
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=DEFAULT_QUALITY,
    show_default=True,
    help="Of JPEG and WebP; at 100 WebP is lossless.",
)
@engine_options
def run(
    model: Path,
    inputs: tuple[Path, ...],
    output: Path,
    skip_existing: bool,
    compare: bool,
    ending: str | None,
    quality: int,
    engine: Engine,
) -> None:
    """Derain images, folders and videos with MODEL.

    Each INPUT goes to the output folder under its own name; folders keep their structure.
    Transparency and 16 bits are kept, or refused where --format cannot hold them; EXIF and
    colour profile are kept in PNG, JPEG and WebP; pixels are turned upright; sound is dropped.

    A bad file does not stop the others: it is listed at the end, and the exit code is 1.
    """
    settings = Settings(ending and f".{ending}", compare, skip_existing, quality)
    with engine.open(model) as derainer, progress() as context:
        report = derain_files(inputs, output, derainer, settings, context)
    _print_report(report, output)
    sys.exit(1 if report.failures else 0)


def _print_report(report: Report, output: Path) -> None:
    """Print one line of result; notes and failures go to stderr."""
    derained = _counted(report.images, "image"), _counted(report.videos, "video")
    click.echo(
        f"{output}: derained {' and '.join(filter(None, derained)) or 'nothing'}"
        f"{f', skipped {report.skipped}' if report.skipped else ''}"
        f"{f', failed {len(report.failures)}' if report.failures else ''}"
        f"{_speed(report) if report.pixels else ''}"
    )
    if report.videos:
        click.echo("note: the sound of videos is not kept", err=True)
    for failure in report.failures:
        click.echo(f"error: {one_line(failure)}", err=True)


def _counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images", or nothing for none."""
    return f"{count} {noun}{'s' * (count > 1)}" if count else ""


def _speed(report: Report) -> str:
    megapixels = report.pixels / 1e6
    per_second = megapixels / report.seconds
    return f" ({megapixels:.2f} MP in {report.seconds:.1f} s, {per_second:.2g} MP/s)"
