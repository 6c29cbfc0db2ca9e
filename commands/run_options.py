"""The command line's options that `run` and `evaluate` share: how the model runs."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from drsformer.runtime.backends.providers import NAMES
from drsformer.runtime.derainer import Derainer
from drsformer.runtime.options import Precision
from drsformer.runtime.tiles import Blend


@dataclass(frozen=True)
class Engine:
    """The arguments of a `Derainer`, but for the model."""

    provider: str | None
    threads: int | None
    precision: Precision
    tile: int | None
    overlap: int
    blend: Blend

    def open(self, model: Path) -> Derainer:
        """Open a model with these options; raises what `Derainer` raises."""
        return Derainer(
            model,
            provider=self.provider,
            threads=self.threads,
            precision=self.precision,
            tile=self.tile,
            overlap=self.overlap,
            blend=self.blend,
        )


_OPTIONS = (
    click.option("--provider", help=f"{', '.join(NAMES)}.  [default: cpu, or an engine's own]"),
    click.option("--threads", type=int, help="Of the backend; by default one per core."),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "bf16"]),
        default="fp32",
        show_default=True,
        help="A hint to openvino: bf16 is faster and less exact.",
    ),
    click.option("--tile", type=int, help="Side of tiles, pixels; by default images stay whole."),
    click.option("--overlap", type=int, default=32, show_default=True, help="Of tiles, pixels."),
    click.option(
        "--blend",
        type=click.Choice(["uniform", "feather"]),
        default="uniform",
        show_default=True,
        help="Where tiles overlap: the authors' mean, or a fade without seams.",
    ),
)


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them as one argument `engine`."""

    @functools.wraps(command)
    def with_engine(
        provider: str | None,
        threads: int | None,
        precision: Precision,
        tile: int | None,
        overlap: int,
        blend: Blend,
        **others: Any,
    ) -> None:
        command(engine=Engine(provider, threads, precision, tile, overlap, blend), **others)

    for option in reversed(_OPTIONS):
        with_engine = option(with_engine)
    return with_engine
