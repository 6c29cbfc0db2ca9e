"""The options that `run` and `evaluate` share: what runs the model, and how images are cut."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import click

from drsformer.engine.libraries import LIBRARIES
from drsformer.runtime.backends.onnxruntime_providers import PROVIDERS
from drsformer.runtime.backends.providers import OPENVINO
from drsformer.runtime.derainer import Derainer
from drsformer.runtime.media.dimensions import MOST_MEGAPIXELS
from drsformer.runtime.options import Precision, RunOptions
from drsformer.runtime.tiling import Blend

from .options import DEVICE_HELP, THREADS_HELP


@dataclass(frozen=True)
class DerainOptions:
    """The arguments of a `Derainer`, but for the model, and which images are read.

    Attributes:
        run: how the model is run.
        tile: longest side of a tile, pixels; "whole" for whole images, None for whole images that
            fit into the memory.
        overlap: pixels that neighbouring tiles share.
        blend: how the results of overlapping tiles are joined.
        most_megapixels: larger images are refused, millions of pixels.
    """

    run: RunOptions
    tile: int | Literal["whole"] | None
    overlap: int
    blend: Blend
    most_megapixels: float

    def open(self, model: Path) -> Derainer:
        """Open a model with these options; raises what `Derainer` raises."""
        return Derainer(
            model,
            provider=self.run.provider,
            threads=self.run.threads,
            precision=self.run.precision,
            device=self.run.device,
            tile=self.tile,
            overlap=self.overlap,
            blend=self.blend,
        )


_OPTIONS = (
    click.option(
        "--provider",
        help=f"For an ONNX file: {', '.join(PROVIDERS)} (of ONNX Runtime) or {OPENVINO}. For an "
        f"engine: {', '.join(LIBRARIES)}; usually left out.  "
        "[default: cpu, or the engine's own library]",
    ),
    click.option("--threads", type=int, help=THREADS_HELP),
    click.option(
        "--precision",
        type=click.Choice(get_args(Precision)),
        default="fp32",
        show_default=True,
        help="Hint to OpenVINO: bf16 is less exact, and faster on some CPUs. Only with --provider "
        "openvino; other providers compute in the file's precision.",
    ),
    click.option("--device", type=click.IntRange(0), help=DEVICE_HELP),
    click.option(
        "--tile",
        type=int,
        help="Side of the tiles that images are cut into, pixels, a multiple of 8; smaller "
        "where the image is smaller.  [default: the largest size that the model takes, whole "
        "images where it takes any and they fit into the free memory]",
    ),
    click.option(
        "--no-tile",
        "whole",
        is_flag=True,
        help="Derain images whole where the model takes them, also those that seem to need more "
        "than the free memory.",
    ),
    click.option(
        "--overlap",
        type=int,
        default=32,
        show_default=True,
        help="Pixels that neighbouring tiles share.",
    ),
    click.option(
        "--blend",
        type=click.Choice(get_args(Blend)),
        default="uniform",
        show_default=True,
        help="How overlapping tiles are joined. uniform: the authors' mean of "
        "square tiles; feather: a fade without seams.",
    ),
    click.option(
        "--max-megapixels",
        "most_megapixels",
        type=click.FloatRange(0, min_open=True),
        default=MOST_MEGAPIXELS,
        show_default=True,
        help="Refuse larger images before they are decoded: a small file can hold a huge one.",
    ),
)


def derain_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them as one argument `options`."""

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        run = RunOptions(**{field.name: values.pop(field.name) for field in fields(RunOptions)})
        if values.pop("whole"):
            if values["tile"] is not None:
                raise click.UsageError("give either --tile or --no-tile")
            values["tile"] = "whole"
        names = ("tile", "overlap", "blend", "most_megapixels")
        command(options=DerainOptions(run, *map(values.pop, names)), **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options
