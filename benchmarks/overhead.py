"""Measures the share of `drs-export run`'s time outside the network, and its peak memory.

    python benchmarks/overhead.py MODEL.onnx IMAGE... [--tile N] -o benchmarks/results/FILE.json

Outside the network are reading, decoding, scaling, padding, tiling, rounding, encoding and writing.
Opening the model is not counted, since a whole folder of images needs it once.
"""

import json
import tempfile
import time
from pathlib import Path

import click

from drsformer.commands.progress import progress
from drsformer.contract import Batch
from drsformer.files import written_whole
from drsformer.measuring.bench.report import machine, versions
from drsformer.measuring.bench.worker import peak_bytes
from drsformer.runtime.derain_files import OutputSettings, derain_files
from drsformer.runtime.derainer import Derainer
from drsformer.runtime.model import Model

PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


class Clock:
    """Adds up the time inside `Model.run`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run = Model.run

    def run(self, session: Model, batch: Batch) -> Batch:
        """Run, and add the time."""
        start = time.perf_counter()
        output = self._run(session, batch)
        self.seconds += time.perf_counter() - start
        return output


@click.command()
@click.argument("model", type=PATH)
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--provider", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--tile", type=int)
@click.option("--warmup/--no-warmup", default=True, help="Derain everything once before measuring.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(
    model: Path,
    images: tuple[Path, ...],
    provider: str,
    threads: int,
    tile: int | None,
    warmup: bool,
    output: Path,
) -> None:
    """Derain the images, and report the time outside the network and the peak memory."""
    clock = Clock()
    Model.run = lambda session, batch: clock.run(session, batch)  # type: ignore[method-assign]
    settings = OutputSettings(None, False, False, 90)
    with (
        tempfile.TemporaryDirectory() as folder,
        Derainer(model, provider=provider, threads=threads, tile=tile) as derainer,
        progress() as context,
    ):
        for _ in range(1 + warmup):
            clock.seconds, start = 0.0, time.perf_counter()
            summary = derain_files(images, Path(folder), derainer, settings, context)
            seconds = time.perf_counter() - start
    share = 1 - clock.seconds / seconds
    click.echo(
        f"{len(summary.derained)} images, {seconds:.2f} s, {100 * share:.2f} % outside the network"
    )
    figures = {
        "script": "benchmarks/overhead.py",
        "model": model.name,
        "images": [path.name for path in images],
        "pixels": summary.pixels,
        "provider": provider,
        "threads": threads,
        "tile": tile,
        "seconds": round(seconds, 3),
        "seconds_in_network": round(clock.seconds, 3),
        "share_outside_network": round(share, 5),
        "peak_bytes": peak_bytes(),
        "model_bytes": model.stat().st_size,
        "machine": machine(),
        "versions": versions(),
    }
    with written_whole(output) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
