"""What each rule of `calibration.precision_rules` is worth: all, each one left out, and none.

    python benchmarks/precision_rules.py MODEL.onnx PAIRS... -o FILE.json [--precision fp16]

It also keeps further parts in float32, to show what they would gain: the convolutions that make
q and k, and the residual sums.
"""

import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from report_file import write_report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.calibration.crops import samples_from_folder
from drsformer.calibration.evaluate.evaluator import Evaluator, mean_quality
from drsformer.calibration.mixed_precision import LOW_DTYPES, mixed_precision_graph
from drsformer.calibration.precision_rules import RULES
from drsformer.errors import CalibrationError
from drsformer.export.graph import load_onnx

PATH = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
MORE = {
    "the depthwise convolutions of q and k": r"\.qkv_dwconv\.[qk]$",
    "all convolutions of q and k": r"\.qkv(_dwconv)?\.[qk]$",
    "the residual sums": r"(attn\.Add|ffn\..*Add(_2)?)$",
}


def forms(proto: onnx.ModelProto, precision: str) -> dict[str, onnx.ModelProto]:
    """Return the model under every set of rules."""
    rules = {rule.part: rule.pattern for rule in RULES}
    sets = {"none (whole graph)": [], "all rules": list(rules.values())}
    for part in rules:
        sets[f"all but: {part}"] = [p for name, p in rules.items() if name != part]
    for name, pattern in MORE.items():
        sets[f"all, and {name}"] = [*rules.values(), pattern]
    made = {
        name: mixed_precision_graph(
            proto,
            LOW_DTYPES[precision],
            [n.name for n in proto.graph.node if any(re.search(p, n.name) for p in patterns)],
        )
        for name, patterns in sets.items()
    }
    return made | {
        "all arithmetic; the weights alone are rounded": _rounded_weights(proto, precision)
    }


def _rounded_weights(proto: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Round the weights and nothing else."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    for tensor in made.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor).astype(LOW_DTYPES[precision].numpy())
            tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float32), tensor.name))
    return made


@click.command()
@click.argument("model", type=PATH)
@click.argument("pairs", type=FOLDER, nargs=-1, required=True)
@click.option("--precision", type=click.Choice(["fp16", "bf16"]), default="fp16")
@click.option("--output", "-o", type=PATH, required=True)
def main(model: Path, pairs: tuple[Path, ...], precision: str, output: Path) -> None:
    """Measure and print a table."""
    proto = load_onnx(model)
    evaluator = Evaluator(proto, [s for folder in pairs for s in samples_from_folder(folder)])
    table = Table(
        "in float32", "PSNR", "with fp32 top-k", "top-k mismatch", "lost, mean", "lost, worst"
    )
    rows: list[dict[str, Any]] = []
    for name, form in track(forms(proto, precision).items(), console=Console(stderr=True)):
        try:
            qualities = evaluator.evaluate(form)
        except CalibrationError as error:
            rows.append({"kept": name, "error": str(error)})
            table.add_row(name, "NaN or Inf")
            continue
        mean = mean_quality(qualities)
        worst = max(q.y_psnr_drop_db or 0.0 for q in qualities)
        rows.append({"kept": name, "mean": mean.to_dict(), "worst_y_psnr_drop_db": worst})
        table.add_row(
            name, f"{mean.psnr_db:.1f}", f"{mean.fp32_top_k_psnr_db:.1f}",
            f"{100 * mean.mismatch_rate:.2f} %", f"{mean.y_psnr_drop_db:.4f}", f"{worst:.4f}",
        )  # fmt: skip
    Console().print(table)
    write_report(output, __file__, model, precision=precision, rows=rows)


if __name__ == "__main__":
    main()
