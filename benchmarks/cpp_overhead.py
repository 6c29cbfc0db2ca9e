"""Measures the share of the C++ library's time outside the backend, and its time beside Python's.

    python benchmarks/cpp_overhead.py build/cpp/release/lib MODEL.onnx SIDE \
        -o benchmarks/results/FILE.json

Each image is derained by both in turn, by the same ONNX Runtime with as many threads, so that the
ratio is one of a single run. Opening and the first image are not counted.
"""

import ctypes
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
from report_file import write_report

from drsformer.calibration.photos import bundled_photo
from drsformer.runtime.derainer import Derainer

CPP = Path(__file__).resolve().parents[1] / "cpp"
sys.path[:0] = [str(CPP / "examples"), str(CPP / "tests")]
import ctypes_derain as library_in_c  # noqa: E402

PATH = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("libraries", type=PATH)
@click.argument("model", type=PATH)
@click.argument("side", type=int)
@click.option("--onnxruntime", type=PATH, required=True, help="The library that Python uses.")
@click.option("--threads", default=2, show_default=True)
@click.option("--runs", default=5, show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(
    libraries: Path,
    model: Path,
    side: int,
    onnxruntime: Path,
    threads: int,
    runs: int,
    output: Path,
) -> None:
    """Derain a photo of SIDE x SIDE pixels by C++ and by Python, in turn."""
    photo = np.resize(bundled_photo("coffee"), (side, side, 3))
    in_c = library_in_c.Derainer(
        str(libraries / "libdrsformer.so"),
        str(model),
        threads=threads,
        onnxruntime_library=str(onnxruntime).encode(),
    )
    rows = []
    with Derainer(model, threads=threads, tile="whole") as in_python:
        for run in range(runs + 1):
            clean = in_c.derain(photo)
            timings = library_in_c.Timings()
            in_c.call("drs_get_timings", in_c.handle, ctypes.byref(timings))
            start = perf_counter()
            same = np.array_equal(clean, in_python.derain(photo))
            assert same, "C++ and Python differ"
            if run:
                rows.append(
                    (timings.total_seconds, timings.backend_seconds, perf_counter() - start)
                )
    in_c.close()
    outside = [total - inside for total, inside, _ in rows]
    share = median(1 - inside / total for total, inside, _ in rows)
    click.echo(f"{side}x{side}: {1e3 * median(outside):.2f} ms, {100 * share:.2f} % outside")
    write_report(
        output,
        __file__,
        model,
        side=side,
        threads=threads,
        runs=runs,
        seconds=round(median(total for total, _, _ in rows), 4),
        seconds_outside_backend=round(median(outside), 6),
        share_outside_backend=round(share, 6),
        ratio_to_python=round(median(total / python for total, _, python in rows), 3),
    )


if __name__ == "__main__":
    main()
