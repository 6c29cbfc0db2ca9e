"""`drs-export evaluate`: measure derained images against clean ones."""

from contextlib import nullcontext
from pathlib import Path

import click
from rich.console import Console

from drsformer.runtime.evaluation import evaluate_folder, evaluate_model, write_json
from drsformer.runtime.media.pairs import pairs_from_folders

from .progress import progress
from .run_options import Engine, engine_options
from .tables import table_from_rows

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", required=False, type=_PATH)
@click.option("--input", "rainy", required=True, type=_PATH, help="Folder of rainy images.")
@click.option("--target", required=True, type=_PATH, help="Folder of clean images.")
@click.option("--outputs", type=_PATH, help="Folder of derained images to measure, without MODEL.")
@click.option("--json", "json_file", type=_PATH, help="Also write the figures to this file.")
@engine_options
def evaluate(
    model: Path | None,
    rainy: Path,
    target: Path,
    outputs: Path | None,
    json_file: Path | None,
    engine: Engine,
) -> None:
    """Measure what MODEL makes of rainy images against clean targets.

    Images are paired by name. Y-PSNR and SSIM are those of the deraining literature: the luma
    of MATLAB's rgb2ycbcr, and an 11x11 Gaussian window.
    """
    if (model is None) == (outputs is None):
        raise click.UsageError("give either MODEL or --outputs DIR")
    pairs = pairs_from_folders(rainy, target)
    with engine.open(model) if model else nullcontext() as derainer, progress() as context:
        if derainer:
            rows = evaluate_model(derainer, pairs, context)
        else:
            assert outputs is not None
            rows = evaluate_folder(outputs, pairs, context)
    Console().print(table_from_rows(rows))
    if json_file:
        measured = [path for pair in pairs for path in (pair.rainy, pair.target)]
        inputs = [*measured, *filter(None, [model])]
        write_json(rows, json_file, source=str(model or outputs), inputs=inputs)
