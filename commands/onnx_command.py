"""`drs-export onnx`: a checkpoint becomes a validated ONNX file."""

from pathlib import Path
from typing import Literal, get_args

import click

from drsformer.export.deployment import Target
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import DEFAULT_OPSET, ExportSettings

from .printing import print_exported
from .progress import progress

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--output", "-o", type=FILE, required=True, help="The .onnx file to write.")
@click.option("--opset", default=DEFAULT_OPSET, show_default=True, help="Standard operator set.")
@click.option("--batch", type=int, help="Fix the batch size (default: dynamic).")
@click.option("--height", type=int, help="Fix the height, pixels, a multiple of 8.")
@click.option("--width", type=int, help="Fix the width, pixels, a multiple of 8.")
@click.option(
    "--target",
    type=click.Choice(get_args(Target)),
    default="any",
    show_default=True,
    help="The runtime to be fast in: ONNX Runtime on a CPU (more nodes), or OpenVINO.",
)
@click.option("--plain", is_flag=True, help="Export the untransformed network, for comparison.")
@click.option(
    "--io",
    type=click.Choice(["float32", "uint8"]),
    default="float32",
    show_default=True,
    help="Type of input and output; with uint8 pixels go in and pixels come out.",
)
def onnx(
    checkpoint: Path,
    output: Path,
    opset: int,
    batch: int | None,
    height: int | None,
    width: int | None,
    target: Target,
    plain: bool,
    io: Literal["float32", "uint8"],
) -> None:
    """Export CHECKPOINT to a validated ONNX file.

    The file is written only if ONNX Runtime gives the same output as the plain PyTorch network.
    The report lies beside it as FILE.validation.json.
    """
    settings = ExportSettings(opset, batch, height, width, plain, target, io)
    with progress() as context:
        exported = onnx_from_checkpoint(checkpoint, output, settings, on_step=context.step)
    print_exported(exported)
