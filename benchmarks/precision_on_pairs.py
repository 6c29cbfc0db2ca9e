"""What each precision costs on real pairs, with targets.

    python benchmarks/precision_on_pairs.py MODEL.onnx --images DIR PAIRS... -o FILE.json

INT8 takes its scales from DIR, once by each method; the first method is the default. PAIRS are
folders with input/ and target/.
"""

from pathlib import Path
from typing import Any, get_args

import click
import onnx
from report_file import write_report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.calibration.clipping import ClippingMethod
from drsformer.calibration.crops import crops_from_folder, samples_from_folder, synthetic_crops
from drsformer.calibration.evaluate.evaluator import Evaluator, mean_quality
from drsformer.calibration.mixed_precision import bf16_from_fp32, fp16_from_fp32
from drsformer.calibration.quantize import quantized_from_fp32
from drsformer.calibration.scales_from_images import DEFAULT_METHOD, scales_from_images
from drsformer.export.graph import load_onnx

PATH = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def forms(model: Path, proto: onnx.ModelProto, images: Path) -> dict[str, onnx.ModelProto]:
    """Return the model in every precision, INT8 by every method and by synthetic rain."""
    crops = crops_from_folder(images)
    made = {"fp16": fp16_from_fp32(proto), "bf16": bf16_from_fp32(proto)}
    methods = sorted(get_args(ClippingMethod), key=lambda method: method != DEFAULT_METHOD)
    for method in methods:
        scales = scales_from_images(model, crops, method=method)
        made[f"int8, {method}"] = quantized_from_fp32(proto, scales)
    scales = scales_from_images(model, synthetic_crops())
    made[f"int8, {DEFAULT_METHOD}, synthetic rain"] = quantized_from_fp32(proto, scales)
    return made


@click.command()
@click.argument("model", type=PATH)
@click.argument("pairs", type=FOLDER, nargs=-1, required=True)
@click.option("--images", type=FOLDER, required=True, help="To calibrate with.")
@click.option("--output", "-o", type=PATH, required=True)
def main(model: Path, pairs: tuple[Path, ...], images: Path, output: Path) -> None:
    """Measure and print a table."""
    proto = load_onnx(model)
    samples = [s for folder in pairs for s in samples_from_folder(folder)]
    names = [f"{folder.name}/{s.name}" for folder in pairs for s in samples_from_folder(folder)]
    evaluator = Evaluator(proto, samples)
    columns = ("PSNR", "with fp32 top-k", "top-k mismatch", "max error", "lost", "worst lost")
    table = Table("precision", "MB", *columns)
    rows: list[dict[str, Any]] = []
    for name, form in track(forms(model, proto, images).items(), console=Console(stderr=True)):
        qualities = evaluator.evaluate(form)
        mean = mean_quality(qualities)
        worst = max(q.y_psnr_drop_db or 0.0 for q in qualities)
        rows.append(
            {
                "precision": name,
                "bytes": form.ByteSize(),
                "mean": mean.to_dict(),
                "images": {n: q.to_dict() for n, q in zip(names, qualities, strict=True)},
            }
        )
        table.add_row(
            name, f"{form.ByteSize() / 1e6:.2f}", f"{mean.psnr_db:.1f}",
            f"{mean.fp32_top_k_psnr_db:.1f}", f"{100 * mean.mismatch_rate:.2f} %",
            str(mean.max_error),
            f"{mean.y_psnr_drop_db:.4f}", f"{worst:.4f}",
        )  # fmt: skip
    Console().print(table)
    write_report(output, __file__, model, float32_bytes=proto.ByteSize(), rows=rows)


if __name__ == "__main__":
    main()
