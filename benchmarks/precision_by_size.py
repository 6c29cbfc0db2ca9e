"""How a lower precision holds up from small images to full frames.

    python benchmarks/precision_by_size.py MODEL.onnx --size 64x64 --size 256x256 -o FILE.json

Each size is one crop of a rainy scikit-image photograph, mirrored where it is too small. Beside our
rules stands the whole-graph cast, every operator in the low type, which is what most tools do.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from report_file import write_report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from drsformer.calibration.crops import Sample
from drsformer.calibration.evaluate.evaluator import Evaluator
from drsformer.calibration.mixed_precision import (
    LOW_DTYPES,
    mixed_precision_from_fp32,
    mixed_precision_graph,
)
from drsformer.calibration.photos import bundled_photo
from drsformer.calibration.rain import rainy_from_clean, sample_rain
from drsformer.errors import CalibrationError
from drsformer.export.graph import load_onnx

PATH = click.Path(path_type=Path, dir_okay=False)


def rainy(height: int, width: int) -> Sample:
    """Return one rainy image of any size."""
    photo = bundled_photo("coffee")
    more = [
        (0, max(0, size - have)) for size, have in zip((height, width), photo.shape, strict=False)
    ]
    clean = np.pad(photo, (*more, (0, 0)), "symmetric")[:height, :width]
    rng = np.random.default_rng(0)
    return Sample(f"{height}x{width}", rainy_from_clean(clean, sample_rain(rng), rng))


def measure(model: Path, precision: str, sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return a row for each size and rule set."""
    proto = load_onnx(model)
    forms = {
        precision: mixed_precision_from_fp32(proto, precision),
        f"{precision}, whole graph": mixed_precision_graph(proto, LOW_DTYPES[precision], []),
    }
    rows = []
    for size in track(sizes, "measuring", console=Console(stderr=True)):
        evaluator = Evaluator(proto, [rainy(*size)])
        for name, form in forms.items():
            row: dict[str, Any] = {"size": list(size), "rules": name, "finite": True}
            try:
                (quality,) = evaluator.evaluate(form)
            except CalibrationError:
                row["finite"] = False
            else:
                row |= {
                    "psnr_db": quality.psnr_db,
                    "imposed_psnr_db": quality.fp32_top_k_psnr_db,
                    "flip_rate": quality.mismatch_rate,
                    "max_levels": quality.max_error,
                }
            rows.append(row)
    return rows


@click.command()
@click.argument("model", type=PATH)
@click.option("--precision", default="fp16", show_default=True)
@click.option("--size", "sizes", multiple=True, required=True, help="Height x width, pixels.")
@click.option("--output", "-o", type=PATH, required=True)
def main(model: Path, precision: str, sizes: tuple[str, ...], output: Path) -> None:
    """Measure and print a table."""
    parsed = [tuple(map(int, size.split("x"))) for size in sizes]
    rows = measure(model, precision, parsed)  # type: ignore[arg-type]  # pairs
    table = Table("size", "rules", "PSNR", "with fp32 top-k", "top-k mismatch", "max error")
    for row in rows:
        shown = ["NaN or Inf", "", "", ""]
        if row["finite"]:
            mismatch = f"{100 * row['flip_rate']:.2f} %"
            figures = (f"{row[key]:.1f}" for key in ("psnr_db", "imposed_psnr_db"))
            shown = [*figures, mismatch, str(row["max_levels"])]
        table.add_row("x".join(map(str, row["size"])), row["rules"], *shown)
    Console().print(table)
    write_report(output, __file__, model, rows=rows)


if __name__ == "__main__":
    main()
