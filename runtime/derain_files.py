"""Derains many images and videos: one bad file is reported and does not stop the others.

image   media/pictures.read_image -> Derainer.derain        -> media/picture_writer.write_images
video   media/videos.VideoReader  -> Derainer.derain_stream -> media/video_writer.written_video
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice, tee
from pathlib import Path
from typing import Any

from drsformer.context import QUIET, Context
from drsformer.errors import DRSformerError, ImageError

from .derainer import Derainer
from .estimate import timed
from .media.comparison import middle_of, side_by_side
from .media.dimensions import MOST_MEGAPIXELS, check_megapixels
from .media.jobs import Job, identities, jobs_from_inputs, names_a_file, output_folder
from .media.picture_writer import DEFAULT_QUALITY, check_fits, write_image, write_images
from .media.pictures import read_image
from .media.video_writer import written_video
from .media.videos import VideoReader

PREVIEW_SIDE = 256  # pixels: a few seconds of the full network on a CPU
MOST_FRAMES_BEFORE_PREVIEW = 100  # so that a long video is not decoded up to its middle


@dataclass(frozen=True)
class OutputSettings:
    """How the outputs are written, and which inputs are refused.

    Attributes:
        suffix: the ending to write instead of the input's, such as ".png", or None.
        compare: whether to write side-by-side pictures too; of a video, of its middle frame.
        skip_existing: whether to skip inputs whose outputs exist, whatever wrote them.
        quality: quality of JPEG and WebP, 1 to 100; WebP is lossless at 100.
        preview: whether only the middle of each input is derained, and shown beside the rainy one.
        most_megapixels: larger pictures and frames are refused, millions of pixels.
    """

    suffix: str | None = None
    compare: bool = False
    skip_existing: bool = False
    quality: int = DEFAULT_QUALITY
    preview: bool = False
    most_megapixels: float = MOST_MEGAPIXELS


@dataclass(frozen=True)
class Failure:
    """An input that could not be derained.

    Attributes:
        source: the input.
        reason: one line that names the input.
    """

    source: Path
    reason: str


@dataclass
class Summary:
    """What became of the inputs.

    Attributes:
        derained: what was derained.
        skipped: what was skipped because the outputs exist, or because a run wrote it.
        failures: what failed.
        pixels: number of pixels derained, of all images and frames.
        seconds: time spent on all inputs.
    """

    derained: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    pixels: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "derained": [str(job.source) for job in self.derained],
            "skipped": [str(job.source) for job in self.skipped],
            "failed": [{"input": str(one.source), "error": one.reason} for one in self.failures],
            "outputs": list(map(str, self.outputs())),
            "pixels": self.pixels,
            "seconds": self.seconds,
        }

    def outputs(self) -> list[Path]:
        """Return the files written."""
        return [path for job in self.derained for path in job.outputs()]

    def inputs(self) -> list[Path]:
        """Return all inputs."""
        done = [job.source for job in (*self.derained, *self.skipped)]
        return done + [failure.source for failure in self.failures]


def derain_files(
    inputs: Sequence[Path],
    output: Path | None,
    derainer: Derainer,
    settings: OutputSettings,
    context: Context = QUIET,
) -> Summary:
    """Derain files and folders.

    Args:
        inputs: images, videos, and folders of them.
        output: the folder to write into, which is made if needed, or for a single input the file
            to write; None for beside each input.
        derainer: the opened model.
        settings: how to write.
        context: is told about progress.

    Returns:
        What was done and what failed. Each output is whole; no input was overwritten.

    Raises:
        DRSformerError: before any output is written: two inputs would become one file, a folder
            holds nothing to derain, or the output folder cannot be written.
    """
    jobs = jobs_from_inputs(
        inputs,
        output,
        suffix=settings.suffix,
        compare=settings.compare,
        preview=settings.preview,
    )
    sources = identities([derainer.path, *(job.source for job in jobs if not job.made_before)])
    summary, start = Summary(), time.perf_counter()
    folder = None if output is None or names_a_file(output) else output
    with nullcontext() if folder is None else output_folder(folder):
        for number, job in enumerate(jobs, 1):
            context.step(f"{job.source.name} ({number} of {len(jobs)})")
            try:
                _check_overwrites_no_input(job, sources)
                _do(job, derainer, settings, context, summary)
            except DRSformerError as error:
                summary.failures.append(_failure(job.source, str(error)))
            except MemoryError:
                reason = "too large for the memory; pass --tile"
                summary.failures.append(_failure(job.source, reason))
    summary.seconds = time.perf_counter() - start
    return summary


def _do(
    job: Job, derainer: Derainer, settings: OutputSettings, context: Context, summary: Summary
) -> None:
    exist = settings.skip_existing and all(path.exists() for path in job.outputs())
    if job.made_before or exist:
        summary.skipped.append(job)
        return
    with output_folder(job.output.parent):  # now, not after minutes of deraining
        if settings.preview:
            summary.pixels += _preview(job, derainer, settings, context)
        elif job.kind == "video":
            summary.pixels += _derain_video(job, derainer, settings, context)
        else:
            summary.pixels += _derain_image(job, derainer, settings, context)
    summary.derained.append(job)


def _preview(job: Job, derainer: Derainer, settings: OutputSettings, context: Context) -> int:
    """Derain the middle of an image or of an early frame; return its number of pixels."""
    if job.kind == "video":
        with _reader_of(job.source, settings) as reader:
            number = min(reader.frame_count // 2, MOST_FRAMES_BEFORE_PREVIEW)
            frame = next(islice(reader.frames(), number, None), None)
        if frame is None:
            raise ImageError(f"{job.source}: no frame can be decoded; copy it again")
        rainy = frame
    else:
        rainy = read_image(job.source, settings.most_megapixels).rgb
    rainy = middle_of(rainy, PREVIEW_SIDE)
    derained = derainer.derain(rainy, context.advance)
    write_images({job.output: side_by_side(rainy, derained)}, DEFAULT_QUALITY)
    height, width, _ = rainy.shape
    return int(height * width)


def _derain_image(job: Job, derainer: Derainer, settings: OutputSettings, context: Context) -> int:
    """Derain one image; return its number of pixels."""
    picture = read_image(job.source, settings.most_megapixels)
    check_fits(picture, job.output)  # now, not after minutes of deraining
    derained = picture.with_rgb(derainer.derain(picture.rgb, timed(job.source, "tile", context)))
    outputs = {job.output: derained}
    if job.compare is not None:
        outputs[job.compare] = side_by_side(picture.rgb, derained.rgb)
    write_images(outputs, settings.quality)
    height, width, _ = picture.rgb.shape
    return int(height * width)


def _derain_video(job: Job, derainer: Derainer, settings: OutputSettings, context: Context) -> int:
    """Derain one video; return the number of pixels of all frames."""
    with (
        _reader_of(job.source, settings) as reader,
        written_video(
            job.output, fps=reader.fps, height=reader.height, width=reader.width
        ) as write,
    ):
        done, advance = 0, timed(job.source, "frame", context)
        rainy, again = tee(reader.frames())
        for frame, derained in zip(again, derainer.derain_stream(rainy), strict=True):
            write(derained)
            if done in (0, reader.frame_count // 2):
                shown = frame, derained
            done += 1
            advance(done, reader.frame_count)
        if job.compare is not None:
            write_image(side_by_side(*shown), job.compare)
    return done * reader.height * reader.width


def _reader_of(source: Path, settings: OutputSettings) -> VideoReader:
    """Open a video; raise ImageError also where its frames are larger than the limit."""
    reader = VideoReader(source)
    try:
        check_megapixels(reader.width, reader.height, source, settings.most_megapixels)
    except ImageError:
        reader.close()
        raise
    return reader


def _check_overwrites_no_input(job: Job, sources: set[tuple[int, int]]) -> None:
    """Raise ImageError where an output is an input of this or another job, also through links."""
    for path in job.outputs():
        if identities([path]) & sources:
            raise ImageError(
                f"{job.source}: {path} is an input, and inputs are never overwritten; "
                "choose another --output folder"
            )


def _failure(source: Path, message: str) -> Failure:
    line = " ".join(message.split())
    return Failure(source, line if str(source) in line else f"{source}: {line}")
