"""How fast each precision runs on this CPU, against float32 in the same runtime and run.

python benchmarks/precision_speed.py MODEL.onnx SCALES.json -o FILE.json
"""

from pathlib import Path

import click
from report_file import write_report

from drsformer.calibration.crops import synthetic_samples
from drsformer.calibration.evaluate.report import ROUNDS, in_runtimes
from drsformer.calibration.mixed_precision import bf16_from_fp32, fp16_from_fp32
from drsformer.calibration.quantize import quantized_from_fp32
from drsformer.calibration.scales import scales_from_file
from drsformer.export.graph import load_onnx

PATH = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("model", type=PATH)
@click.argument("scales", type=PATH)
@click.option("--threads", default=2, show_default=True)
@click.option("--output", "-o", type=PATH, required=True)
def main(model: Path, scales: Path, threads: int, output: Path) -> None:
    """Measure and print."""
    proto = load_onnx(model)
    models = {
        "fp32": proto,
        "fp16": fp16_from_fp32(proto),
        "bf16": bf16_from_fp32(proto),
        "int8": quantized_from_fp32(proto, scales_from_file(scales)),
    }
    image = synthetic_samples()[0].rainy
    speeds, differences = in_runtimes(models, image, threads=threads)
    rows = {
        name: {
            "bytes": made.ByteSize(),
            "speed": speeds[name],
            "levels_between_runtimes": differences[name],
        }
        for name, made in models.items()
    }
    for name, row in rows.items():
        click.echo(f"{name}: {row}")
    write_report(
        output, __file__, model, image=list(image.shape), rounds=ROUNDS, threads=threads, rows=rows
    )


if __name__ == "__main__":
    main()
