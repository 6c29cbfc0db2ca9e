"""`drs-export evaluate`: measure derained images against clean ones."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from drsformer.runtime.evaluation import (
    ImageScores,
    dict_from_scores,
    evaluate_folder,
    evaluate_model,
    mean_scores,
)
from drsformer.runtime.media.pairs import pairs_from_folders

from .models import opened_file
from .options import FILE, FOLDER, WEIGHTS_HELP
from .output import Output, output_options
from .progress import progress
from .run_options import DerainOptions, derain_options
from .tables import table_from_scores

MOST_ROWS = 20  # a longer table is printed with -v only


@click.command()
@click.argument("model", required=False, type=FILE)
@click.option("--rainy", required=True, type=FOLDER, help="Folder of the rainy images.")
@click.option("--clean", required=True, type=FOLDER, help="Folder of the clean images.")
@click.option(
    "--derained", type=FOLDER, help="Folder of derained images to measure, instead of MODEL."
)
@click.option("--weights", help=WEIGHTS_HELP)
@derain_options
@output_options(f"Print the table of all images even if there are more than {MOST_ROWS}.")
def evaluate(
    model: Path | None,
    rainy: Path,
    clean: Path,
    derained: Path | None,
    weights: str | None,
    options: DerainOptions,
    output: Output,
) -> None:
    """Measure how close derained images are to clean ones.

    Give either MODEL, an ONNX file, an engine or a checkpoint, which derains the rainy images
    first, or --derained with the results.

    A pair has the same file name in both folders, apart from the ending. Y-PSNR and SSIM are those
    of the deraining literature: the luma of MATLAB's rgb2ycbcr, and an 11x11 Gaussian window.
    """
    if (model is None) == (derained is None):
        raise click.UsageError("give either MODEL or --derained DIR.")
    if weights and derained:
        raise click.UsageError("--weights would have no effect with --derained.")
    pairs = pairs_from_folders(rainy, clean)
    file = model and opened_file(model, options.run.provider, weights, output)
    with options.open(file) if file else nullcontext() as derainer, progress() as context:
        if derainer:
            scores = evaluate_model(derainer, pairs, context, options.most_megapixels)
        else:
            assert derained is not None
            scores = evaluate_folder(derained, pairs, context, options.most_megapixels)
    output.result(_result(scores))
    shown = replace(output, verbose=output.verbose or len(scores) <= MOST_ROWS)
    shown.detail(table_from_scores(scores))
    measured = [path for pair in pairs for path in (pair.rainy, pair.clean)]
    inputs = [*measured, *filter(None, [model])]
    output.write_json(dict_from_scores(scores, str(model or derained)), inputs)


def _result(scores: Sequence[ImageScores]) -> str:
    """Return the means in one line."""
    mean = mean_scores(scores)
    count = f"{len(scores)} image{'s' * (len(scores) > 1)}"
    return (
        f"Y-PSNR {mean.gain_db:+.2f} dB (from {mean.rainy.psnr_db:.2f} to "
        f"{mean.derained.psnr_db:.2f}), SSIM {mean.derained.ssim:.4f} (from "
        f"{mean.rainy.ssim:.4f}), mean of {count}"
    )
