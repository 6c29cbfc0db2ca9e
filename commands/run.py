"""`drs-export run`: derain images, folders and videos."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.text import Text

from drsformer.errors import one_line
from drsformer.runtime.derain_files import OutputSettings, Summary, derain_files
from drsformer.runtime.media.picture_writer import DEFAULT_QUALITY

from .options import FILE, packed
from .output import Output, output_options
from .progress import progress
from .run_options import DerainOptions, derain_options

_FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "mp4", "mov", "avi", "mkv", "webm")
_PATH = click.Path(path_type=Path)  # a file or a folder


@dataclass(frozen=True)
class Options:
    """The arguments and options of `run`, by the names that click gives them."""

    model: Path
    inputs: tuple[Path, ...]
    folder: Path
    skip_existing: bool
    compare: bool
    ending: str | None
    quality: int
    options: DerainOptions
    output: Output

    def settings(self) -> OutputSettings:
        """Return how the outputs are written."""
        suffix = self.ending and f".{self.ending}"
        most = self.options.most_megapixels
        return OutputSettings(suffix, self.compare, self.skip_existing, self.quality, most)


@click.command()
@click.argument("model", type=FILE)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", "folder", required=True, type=_PATH, help="Folder to write into.")
@click.option("--skip-existing", is_flag=True, help="Skip inputs whose outputs exist.")
@click.option(
    "--compare", is_flag=True, help="Also write NAME.compare.png: rainy and derained, side by side."
)
@click.option(
    "--format",
    "ending",
    type=click.Choice(_FORMATS),
    help="Format to write.  [default: the input's]",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=DEFAULT_QUALITY,
    show_default=True,
    help="Quality of JPEG and WebP; WebP is lossless at 100.",
)
@derain_options
@output_options("Print the path of each output too.")
@packed(Options)
def run(given: Options) -> None:
    """Derain images, folders and videos with MODEL.

    Each INPUT goes to the output folder under its own name; folders keep their structure.
    Transparency and 16 bits are kept, or refused where --format cannot hold them; EXIF and
    colour profile are kept in PNG, JPEG and WebP; pixels are turned upright; sound is dropped.

    Videos: even frame sizes only; mp4v, Motion JPEG, FFV1 or VP9, no H.264; --compare takes the
    middle frame. An existing output is replaced unless --skip-existing.

    A bad file does not stop the others: it is listed at the end, and the exit code is 1.
    """
    with given.options.open(given.model) as derainer, progress() as context:
        summary = derain_files(given.inputs, given.folder, derainer, given.settings(), context)
    _print_summary(summary, given.folder, given.output)
    result = {"model": str(given.model)} | summary.to_dict()
    given.output.write_json(result, [given.model, *summary.inputs()])
    sys.exit(1 if summary.failures else 0)


def _print_summary(summary: Summary, folder: Path, output: Output) -> None:
    """Print one line of result, the outputs with -v, and the failures on stderr."""
    images, videos = (
        sum(job.kind == kind for job in summary.derained) for kind in ("image", "video")
    )
    derained = _counted(images, "image"), _counted(videos, "video")
    output.result(
        f"{folder}: derained {' and '.join(filter(None, derained)) or 'nothing'}"
        f"{f', skipped {len(summary.skipped)}' if summary.skipped else ''}"
        f"{f', failed {len(summary.failures)}' if summary.failures else ''}"
        f"{_speed(summary) if summary.pixels else ''}"
    )
    for path in summary.outputs():
        output.detail(Text(str(path)))
    if videos:
        output.note("note: the sound of videos is not kept")
    for failure in summary.failures:
        output.note(f"error: {one_line(failure.reason)}")


def _counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images", or nothing for none."""
    return f"{count} {noun}{'s' * (count > 1)}" if count else ""


def _speed(summary: Summary) -> str:
    megapixels = summary.pixels / 1e6
    per_second = megapixels / summary.seconds
    return f" ({megapixels:.2f} MP in {summary.seconds:.1f} s, {per_second:.2g} MP/s)"
