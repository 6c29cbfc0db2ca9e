"""Writes the mean of two stages' weights, where one began with the other's.

    python tools/average_demo.py EARLIER.safetensors LATER.safetensors --pairs DIR -o OUT

The shares that are tried, and what each gains on the pairs, go into the JSON file beside the
weights. The one with the largest sum of the mean gains in heavy and in light rain is written.
"""

import json
from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from train_demo import DEMO_CONFIG, DRSformer, validate, validation_pairs

from drsformer.files import written_whole

PATH = click.Path(path_type=Path, exists=True)
SHARES = (0.3, 0.5, 0.7, 1.0)  # of the later stage


def mixed(earlier: dict[str, Tensor], later: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return the weighted mean of each weight."""
    return {
        name: (earlier[name].float() * (1 - share) + later[name].float() * share).contiguous()
        for name in later
    }


@click.command()
@click.argument("earlier", type=PATH)
@click.argument("later", type=PATH)
@click.option("--pairs", type=PATH, required=True, help="To choose by: input/ and target/.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(earlier: Path, later: Path, pairs: Path, output: Path) -> None:
    """Mix, validate, and write the best."""
    torch.manual_seed(0)
    stages = load_file(earlier), load_file(later)
    images = validation_pairs(pairs)
    tried = []
    for share in SHARES:
        model = DRSformer(DEMO_CONFIG)
        model.load_state_dict(mixed(*stages, share))
        tried.append({"share_of_the_later": share, **validate(model.eval(), images)})
        click.echo(tried[-1])
    best = max(tried, key=lambda one: one["mean_gain_db"] + one["light_mean_gain_db"])
    provenance = json.loads(later.with_suffix(".json").read_text()) | {
        "weights": "the mean of those of two stages, each an exponential moving average over its "
        "steps: the one that `started_from` describes, and the one described here",
        "share_of_the_later": best["share_of_the_later"],
        "shares_tried": tried,
    }
    with written_whole(output) as temporary:
        save_file(mixed(*stages, best["share_of_the_later"]), temporary)
    with written_whole(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(provenance, indent=1) + "\n")


if __name__ == "__main__":
    main()
