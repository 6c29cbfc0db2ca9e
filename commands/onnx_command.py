"""`drs-export onnx`: a checkpoint becomes a validated ONNX file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import click

from drsformer.export.deployment import Runtime
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import DEFAULT_OPSET, OPSETS, ExportSettings

from .options import FILE, WEIGHTS_HELP, packed
from .output import Output, output_options
from .printing import print_exported
from .progress import progress
from .sizes import SIZE


@dataclass(frozen=True)
class Options:
    """The options of `onnx`."""

    checkpoint: Path
    path: Path
    opset: int
    batch: int | None
    size: tuple[int, int] | None
    runtime: Runtime
    plain: bool
    io: Literal["float32", "uint8"]
    weights: str | None
    output: Output

    def settings(self) -> ExportSettings:
        """Return what the export room needs to know; raises ExportError as it does."""
        height, width = self.size or (None, None)
        return ExportSettings(
            self.opset, self.batch, height, width, self.plain, self.runtime, self.io
        )


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--output", "-o", "path", type=FILE, required=True, help="The .onnx file to write.")
@click.option(
    "--opset",
    default=DEFAULT_OPSET,
    show_default=True,
    help=f"Version of the ONNX operator set, {OPSETS[0]} to {OPSETS[-1]}; `convert` raises it "
    "where a precision needs more.",
)
@click.option("--batch", type=int, help="Fix the number of images per run.  [default: any]")
@click.option(
    "--size",
    type=SIZE,
    help="Fix height and width, pixels, multiples of 8; such a file is converted only with images "
    "of that size (the default ones are 256x256).  [default: any]",
)
@click.option(
    "--runtime",
    type=click.Choice(get_args(Runtime)),
    default="any",
    show_default=True,
    help="What the graph is made fast for. any: everything, also GPUs and engines; ort: ONNX "
    "Runtime on a CPU; openvino: OpenVINO. The others can run it too.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Export without rewrites, by torch.onnx.export, to compare; such a file cannot be "
    "converted.",
)
@click.option(
    "--io",
    type=click.Choice(["float32", "uint8"]),
    default="float32",
    show_default=True,
    help="Type of input and output; uint8: pixels in, pixels out; such a file cannot be converted.",
)
@click.option("--weights", help=WEIGHTS_HELP)
@output_options("Print the comparison of each tensor with PyTorch too.")
@packed(Options)
def onnx(options: Options) -> None:
    """Export CHECKPOINT to a validated ONNX file.

    The file is written only if ONNX Runtime gives the same output as the plain PyTorch network.
    The validation report is written beside it: derain.onnx -> derain.validation.json.
    """
    with progress() as context:
        exported = onnx_from_checkpoint(
            options.checkpoint, options.path, options.settings(), context, options.weights
        )
    print_exported(exported, options.output)
    result = {
        "path": str(exported.path),
        "bytes": exported.path.stat().st_size,
        "nodes": exported.nodes,
        "validation": exported.report.to_dict(),
    }
    written = (options.checkpoint, exported.path, exported.report_path)
    options.output.write_json(result, inputs=written)
