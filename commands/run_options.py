"""The options that `run` and `evaluate` share: what runs the model, and how images are cut."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import click

from drsformer.runtime.backends.providers import NAMES
from drsformer.runtime.derainer import Derainer
from drsformer.runtime.options import Precision, RunOptions
from drsformer.runtime.tiles import Blend


@dataclass(frozen=True)
class DerainOptions:
    """The arguments of a `Derainer`, but for the model.

    Attributes:
        run: how the model is run.
        tile: longest side of a tile, pixels; None for whole images.
        overlap: pixels that neighbouring tiles share.
        blend: how the results of overlapping tiles are joined.
    """

    run: RunOptions
    tile: int | None
    overlap: int
    blend: Blend

    def open(self, model: Path) -> Derainer:
        """Open a model with these options; raises what `Derainer` raises."""
        return Derainer(
            model,
            provider=self.run.provider,
            threads=self.run.threads,
            precision=self.run.precision,
            tile=self.tile,
            overlap=self.overlap,
            blend=self.blend,
        )


_OPTIONS = (
    click.option(
        "--provider",
        help=f"What runs the model: {', '.join(NAMES)}. The graph that suits it is chosen before, "
        "by `onnx --runtime`; the GPUs of an engine, by `trt --gpu`.  "
        "[default: cpu, or the library that an engine was built with]",
    ),
    click.option(
        "--threads", type=int, help="Number of the provider's threads.  [default: one per core]"
    ),
    click.option(
        "--precision",
        type=click.Choice(get_args(Precision)),
        default="fp32",
        show_default=True,
        help="Precision that openvino computes in; bf16 is faster and less exact.",
    ),
    click.option("--tile", type=int, help="Side of tiles, pixels.  [default: images are not cut]"),
    click.option(
        "--overlap", type=int, default=32, show_default=True, help="Overlap of tiles, pixels."
    ),
    click.option(
        "--blend",
        type=click.Choice(get_args(Blend)),
        default="uniform",
        show_default=True,
        help="How overlapping tiles are joined: the authors' mean, or a fade without seams.",
    ),
)


def derain_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them as one argument `options`."""

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        run = RunOptions(**{field.name: values.pop(field.name) for field in fields(RunOptions)})
        tiling = {name: values.pop(name) for name in ("tile", "overlap", "blend")}
        command(options=DerainOptions(run, **tiling), **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options
