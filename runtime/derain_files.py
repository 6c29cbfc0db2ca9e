"""Derains many images and videos: one bad file is reported and does not stop the others."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path

from drsformer.context import QUIET, Context
from drsformer.contract import Image
from drsformer.errors import DRSformerError, ImageError
from drsformer.files import written_whole

from .derainer import Derainer
from .media.comparison import side_by_side
from .media.formats import is_video_name
from .media.jobs import Job, identities, jobs_from_inputs, output_folder
from .media.pictures import DEFAULT_QUALITY, check_fits, encoded, read_image
from .media.video_writer import written_video
from .media.videos import VideoReader


@dataclass(frozen=True)
class Settings:
    """How the outputs are written.

    Attributes:
        suffix: the ending to write instead of the input's, such as ".png", or None.
        compare: write side-by-side pictures too; of a video, of its middle frame.
        skip_existing: leave out inputs whose outputs exist, whatever made them.
        quality: of JPEG and WebP, 1 to 100; WebP is lossless at 100.
    """

    suffix: str | None = None
    compare: bool = False
    skip_existing: bool = False
    quality: int = DEFAULT_QUALITY


@dataclass
class Report:
    """What became of the inputs.

    Attributes:
        images: number of images derained.
        videos: number of videos derained.
        skipped: number of inputs left out because their outputs exist.
        failures: one line for each input that failed.
        pixels: derained in all, frames included.
        seconds: spent in all.
    """

    images: int = 0
    videos: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    pixels: int = 0
    seconds: float = 0.0


def derain_files(
    inputs: Sequence[Path],
    output: Path,
    derainer: Derainer,
    settings: Settings,
    context: Context = QUIET,
) -> Report:
    """Derain files and folders into a folder.

    Args:
        inputs: images, videos, and folders of them.
        output: the folder to write into; made if needed.
        derainer: the opened model.
        settings: how to write.
        context: is told about progress.

    Returns:
        What was done and what failed. Each output is whole; no input was overwritten.

    Raises:
        DRSformerError: before any output: the inputs collide, a folder holds nothing to
            derain, or the output folder cannot be written.
    """
    jobs = jobs_from_inputs(inputs, output, suffix=settings.suffix, compare=settings.compare)
    sources = identities([derainer.path, *(job.source for job in jobs)])
    report, start = Report(), time.perf_counter()
    with output_folder(output):
        for number, job in enumerate(jobs, 1):
            context.step(f"{job.source.name} ({number} of {len(jobs)})")
            try:
                _check_spares(job, sources)
                _do(job, derainer, settings, context, report)
            except DRSformerError as error:
                report.failures.append(_line(job.source, str(error)))
            except MemoryError:
                report.failures.append(_line(job.source, "too large for the memory; pass --tile"))
    report.seconds = time.perf_counter() - start
    return report


def _do(job: Job, derainer: Derainer, settings: Settings, context: Context, report: Report) -> None:
    if settings.skip_existing and all(path.exists() for path in job.outputs()):
        report.skipped += 1
    elif is_video_name(job.source):
        report.pixels += _derain_video(job, derainer, context)
        report.videos += 1
    else:
        report.pixels += _derain_image(job, derainer, settings, context)
        report.images += 1


def _derain_image(job: Job, derainer: Derainer, settings: Settings, context: Context) -> int:
    """Do one image; return its number of pixels."""
    picture = read_image(job.source)
    check_fits(picture, job.target)  # now, not after minutes of deraining
    derained = picture.with_rgb(derainer.derain(picture.rgb, context.advance))
    data = encoded(derained, job.target, settings.quality)
    with written_whole(job.target) as temporary:
        temporary.write_bytes(data)
        # inside the block: without the comparison there is no output either
        _write_compare(job, picture.rgb, derained.rgb)
    height, width, _ = picture.rgb.shape
    return int(height * width)


def _derain_video(job: Job, derainer: Derainer, context: Context) -> int:
    """Do one video; return the number of pixels of all frames."""
    with (
        VideoReader(job.source) as reader,
        written_video(
            job.target,
            fps=reader.fps,
            height=reader.height,
            width=reader.width,
        ) as write,
    ):
        done = 0
        rainy, again = tee(reader.frames())
        for frame, clean in zip(again, derainer.derain_stream(rainy), strict=True):
            write(clean)
            if done in (0, reader.frame_count // 2):
                shown = frame, clean
            done += 1
            context.advance(done, reader.frame_count)
        _write_compare(job, *shown)
    return done * reader.height * reader.width


def _write_compare(job: Job, rainy: Image, derained: Image) -> None:
    if job.compare is None:
        return
    data = encoded(side_by_side(rainy, derained), job.compare)
    with written_whole(job.compare) as temporary:
        temporary.write_bytes(data)


def _check_spares(job: Job, sources: set[tuple[int, int]]) -> None:
    """Raise ImageError where an output is an input, its own or another's, also through links."""
    for path in job.outputs():
        if identities([path]) & sources:
            raise ImageError(
                f"{job.source}: {path} is an input, and inputs are never overwritten; "
                "choose another --output folder"
            )


def _line(source: Path, message: str) -> str:
    """Return one line that names the input."""
    line = " ".join(message.split())
    return line if str(source) in line else f"{source}: {line}"
