"""`drs-export run`: derain images, folders and videos."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.text import Text

from drsformer.errors import DRSformerError, one_line
from drsformer.runtime.derain_files import (
    PREVIEW_SIDE,
    OutputSettings,
    Summary,
    derain_files,
)
from drsformer.runtime.media.formats import is_media
from drsformer.runtime.media.picture_writer import DEFAULT_QUALITY

from .models import DEMO_MODEL, is_model, opened_file
from .options import ANY_PATH, WEIGHTS_HELP, packed
from .output import Output, output_options
from .progress import progress
from .run_options import DerainOptions, derain_options

_FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "mp4", "mov", "avi", "mkv", "webm")
DEMO_MODEL_NOTE = (
    "note: this was the demo model, trained on synthetic rain; --compare shows before and after, "
    "and docs/checkpoints.md of this project says where better weights are"
)


@dataclass(frozen=True)
class Options:
    """The arguments and options of `run`, by the names that click gives them."""

    files: tuple[Path, ...]
    folder: Path | None
    skip_existing: bool
    compare: bool
    preview: bool
    ending: str | None
    quality: int
    weights: str | None
    options: DerainOptions
    output: Output

    def settings(self) -> OutputSettings:
        """Return how the outputs are written."""
        suffix = self.ending and f".{self.ending}"
        return OutputSettings(
            suffix,
            self.compare,
            self.skip_existing,
            self.quality,
            self.preview,
            self.options.most_megapixels,
        )

    def check(self) -> None:
        """Raise UsageError for an option that would have no effect."""
        given = {"compare": self.compare, "format": self.ending}
        for name in (name for name, value in given.items() if value and self.preview):
            raise click.UsageError(f"--{name} would have no effect with --preview.")


@click.command()
@click.argument("files", metavar="[MODEL] INPUT...", nargs=-1, required=True, type=ANY_PATH)
@click.option(
    "-o",
    "--output",
    "folder",
    type=ANY_PATH,
    help="Folder to write into; for one image or video also the name of the file.  "
    "[default: beside each input, as NAME.derained.jpg]",
)
@click.option("--skip-existing", is_flag=True, help="Skip inputs whose outputs exist.")
@click.option(
    "--compare",
    is_flag=True,
    help="Also write a picture beside each output, which ends in .compare.png: rainy and derained, "
    "side by side.",
)
@click.option(
    "--preview",
    is_flag=True,
    help=f"Only derain the middle {PREVIEW_SIDE}x{PREVIEW_SIDE} of each image, or of an early "
    "frame of a video, and write NAME.preview.png: rainy and derained, side by side.",
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
@click.option("--weights", help=WEIGHTS_HELP)
@derain_options
@output_options("Print the path of each output too.")
@packed(Options)
def run(given: Options) -> None:
    """Derain images, folders and videos.

    MODEL is an ONNX file, an engine, or a checkpoint, which is exported once and kept in the user's
    cache. Without MODEL, the demo model of this package is used, which was trained on synthetic
    rain.

    photo.jpg becomes photo.derained.jpg beside it; such files are left out by the next run. With
    --output, each INPUT goes to that folder under its own name, and folders keep their structure.
    Transparency and 16 bits are kept, or refused where --format cannot hold them; EXIF and
    colour profile are kept in PNG, JPEG and WebP; pixels are turned upright; sound is dropped.

    Videos: even frame sizes only; mp4v, Motion JPEG, FFV1 or VP9, no H.264; --compare takes the
    middle frame. An existing output is replaced unless --skip-existing.

    A bad file does not stop the others: it is listed at the end, and the exit code is 1.
    """
    given.check()
    model, inputs = _model_and_inputs(given.files)
    chosen = DEMO_MODEL if model is None else model
    file = opened_file(chosen, given.options.run.provider, given.weights, given.output)
    with given.options.open(file) as derainer, progress() as context:
        summary = derain_files(inputs, given.folder, derainer, given.settings(), context)
    _print_summary(summary, given.folder, given.output)
    if model is None and summary.derained:
        given.output.note(DEMO_MODEL_NOTE)
    result = {"model": str(chosen)} | summary.to_dict()
    given.output.write_json(result, [chosen, file, *summary.inputs()])
    sys.exit(1 if summary.failures else 0)


def _model_and_inputs(files: Sequence[Path]) -> tuple[Path | None, Sequence[Path]]:
    """Tell a model, which is the first argument if it is there, from what is to be derained."""
    first, *others = files
    if first.is_dir() or is_media(first):
        return None, files
    if not is_model(first):
        what = "is neither a model nor an image or video" if first.exists() else "does not exist"
        raise DRSformerError(
            f"{first} {what}; expected an image, a video or a folder, or first a model: an ONNX "
            "file, an engine or a checkpoint"
        )
    if not others:
        raise click.UsageError(f"{first} is the model; give the images to derain too.")
    return first, others


def _print_summary(summary: Summary, folder: Path | None, output: Output) -> None:
    """Print one line of result, the outputs with -v, and the failures on stderr."""
    images, videos = (
        sum(job.kind == kind for job in summary.derained) for kind in ("image", "video")
    )
    derained = _counted(images, "image"), _counted(videos, "video")
    output.result(
        f"{_place(summary, folder)}derained {' and '.join(filter(None, derained)) or 'nothing'}"
        f"{f', skipped {len(summary.skipped)}' if summary.skipped else ''}"
        f"{f', failed {len(summary.failures)}' if summary.failures else ''}"
        f"{_speed(summary) if summary.pixels else ''}"
    )
    for path in summary.outputs():
        output.detail(Text(str(path)))
    if left_out := [job.source for job in summary.skipped if job.made_before]:
        output.note(
            f"note: left out {_counted(len(left_out), 'file')} that a run wrote, by the name: "
            f"{left_out[0]}; to derain such a file, name it and give --output"
        )
    if videos:
        output.note("note: the sound of videos is not kept")
    for failure in summary.failures:
        output.note(f"error: {one_line(failure.reason)}")


def _place(summary: Summary, folder: Path | None) -> str:
    """Return where the outputs are: the folder, the only output, or "beside the inputs"."""
    if folder is not None:
        return f"{folder}: "
    outputs = summary.outputs()
    if not outputs:
        return ""
    return f"{outputs[0]}: " if len(outputs) == 1 else "beside the inputs: "


def _counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images", or nothing for none."""
    return f"{count} {noun}{'s' * (count > 1)}" if count else ""


def _speed(summary: Summary) -> str:
    megapixels = summary.pixels / 1e6
    per_second = megapixels / summary.seconds
    return f" ({megapixels:.2f} MP in {summary.seconds:.1f} s, {per_second:.2g} MP/s)"
