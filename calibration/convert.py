"""Float32 file to a lower precision: typed, judged, reported, and only then named."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from drsformer.contract import IO
from drsformer.errors import CalibrationError, ExportError
from drsformer.export.graph import load_onnx, metadata_of
from drsformer.export.uint8_io import PREFIX as PIXELS
from drsformer.export.uint8_io import check_uint8_io, with_uint8_io
from drsformer.files import sha256_of, written_whole

from .crops import Sample
from .evaluate.evaluator import Judge, mean_quality
from .evaluate.report import Verdict, verdict
from .evaluate.sensitivity import GroupCost, sensitivity, spared_to_fit
from .evaluate.simulated_precision import runnable
from .mixed_precision import check_convertible, low_from_fp32
from .quantize import GRIDS, int8_from_fp32
from .rules import Kept, Precision, judged_convolutions, kept_nodes, quantizable
from .scales import Scales

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Budget:
    """How much a quantisation may cost; what costs too much is left in float16.

    Attributes:
        max_drop_db: luma PSNR lost against targets, on average.
        min_psnr_db: PSNR against the float32 output, where there are no targets.
    """

    max_drop_db: float | None = None
    min_psnr_db: float | None = None


@dataclass(frozen=True)
class Converted:
    """What a conversion made.

    Attributes:
        path: the file.
        report_path: what lies beside it.
        kept: nodes that stay above the precision asked for.
        spared: groups that the budget gave up.
        verdict: how good and how fast.
    """

    path: Path
    report_path: Path
    kept: tuple[Kept, ...]
    spared: tuple[GroupCost, ...]
    verdict: Verdict


def convert_file(
    source: Path,
    output: Path,
    precision: Precision,
    samples: Sequence[Sample],
    *,
    scales: Scales | None = None,
    budget: Budget | None = None,
    io: IO = "float32",
    threads: int | None = None,
    on_step: OnStep = lambda step: None,
) -> Converted:
    """Convert a float32 export and write it with its report.

    Args:
        source: what `drs-export onnx` wrote.
        output: the .onnx file to write; the report goes beside it, FILE.precision.json.
        precision: to convert to.
        samples: images to judge by.
        scales: for "int8" and "fp8".
        budget: leave the worst parts in float16 until it is kept.
        io: type of input and output; judged are the values, not the pixels made of them.
        threads: of ONNX Runtime; by default all cores.
        on_step: told what is being done.

    Raises:
        ExportError: `source` cannot be converted, or `output` is not named .onnx.
        CalibrationError: scales are missing or of another model, the result is not finite, or
            no choice keeps the budget. Nothing was written.
    """
    if output.suffix != ".onnx":
        raise ExportError(f"{output} must end in .onnx")
    proto = load_onnx(source)
    check_convertible(proto, str(source))
    on_step("running the float32 model")
    judge = Judge(proto, samples, threads=threads)
    spared: list[GroupCost] = []
    if budget is not None and scales is not None:
        spared = _spared(proto, judge, precision, scales, budget, on_step)
    names = [name for cost in spared for name in cost.nodes]
    made = _converted(proto, precision, scales, names, low_io=io == "float16")
    _add_provenance(made, sha256_of(source), scales)
    models = {"fp32": proto}
    if precision in GRIDS:
        models["fp16"] = low_from_fp32(proto, "fp16")
    judged = verdict(models | {precision: made}, judge, threads=threads, on_step=on_step)
    if io == "uint8":
        made = with_uint8_io(made)
        check_uint8_io(runnable(made), str(output))
    kept = (*kept_nodes(proto), *_kept_at_16_bits(proto, precision, names), *_kept_pixels(made))
    report_path = output.with_suffix(".precision.json")
    with (
        written_whole(report_path, inputs=[source]) as temporary_report,
        written_whole(output, inputs=[source]) as temporary,
    ):
        temporary.write_bytes(made.SerializeToString(deterministic=True))
        report = {
            "model_sha256": sha256_of(temporary),
            "source_sha256": sha256_of(source),
            "precision": precision,
            "verdict": judged.to_dict(),
            "given_up": [cost.group for cost in spared],
            "kept": [asdict(one) | {"module": one.module} for one in kept],
        }
        temporary_report.write_text(json.dumps(report, indent=1) + "\n")
    return Converted(output, report_path, kept, tuple(spared), judged)


def _converted(
    proto: onnx.ModelProto,
    precision: Precision,
    scales: Scales | None,
    spared: Sequence[str],
    *,
    low_io: bool = False,
) -> onnx.ModelProto:
    if precision not in GRIDS:
        made: onnx.ModelProto = low_from_fp32(proto, precision, low_io=low_io)
        return made
    if scales is None:
        raise CalibrationError(f"{precision} needs scales; make them with `drs-export calibrate`")
    return int8_from_fp32(proto, scales, spared=spared, low_io=low_io)


def _spared(
    proto: onnx.ModelProto,
    judge: Judge,
    precision: Precision,
    scales: Scales,
    budget: Budget,
    on_step: OnStep,
) -> list[GroupCost]:
    """Return the groups to leave in float16."""
    by_target = budget.max_drop_db is not None
    if by_target and any(sample.clean is None for sample in judge.samples):
        raise CalibrationError(
            "a largest drop can be measured against targets only; give a folder with input/ and "
            "target/, or ask for a smallest PSNR against float32 with --min-psnr"
        )

    def drop_of(names: Sequence[str]) -> float:
        on_step(f"judging with {len(names)} convolutions in float16")
        lowered = _converted(proto, precision, scales, names)
        quality = mean_quality(judge.judge(lowered, imposed=False))
        return (quality.y_psnr_drop_db or 0.0) if by_target else -quality.psnr_db

    allowed = budget.max_drop_db if by_target else -(budget.min_psnr_db or 0.0)
    assert allowed is not None
    if drop_of([]) <= allowed:
        return []
    names = [node.name for node in quantizable(proto)]
    least = drop_of(names)
    if least > allowed:  # known at once, not after every group was tried
        what = f"{least:.3f} dB are lost" if by_target else f"PSNR is {-least:.1f} dB"
        raise CalibrationError(
            f"even with no convolution in {precision}, {what}: float16 itself is beyond the "
            "budget; allow more"
        )
    costs = sensitivity(proto, judge, precision, scales.steps, only=names, on_step=on_step)
    return spared_to_fit(costs, drop_of, allowed)[0]


def _kept_at_16_bits(
    proto: onnx.ModelProto, precision: Precision, spared: Sequence[str]
) -> list[Kept]:
    """Return the convolutions that stay float16 in a quantised model, with the reason."""
    if precision not in GRIDS:
        return []
    reasons = {name: "lowering it would go beyond the budget" for name in spared}
    return [
        Kept(node.name, node.op_type, "float16", why)
        for node, reason in judged_convolutions(proto)
        if (why := reasons.get(node.name, reason)) is not None
    ]


def _kept_pixels(made: onnx.ModelProto) -> list[Kept]:
    """Return the arithmetic on pixels, which `--io uint8` puts into the graph."""
    reason = "one of 255 levels is the last bit of float16: a pixel would come out a level off"
    return [
        Kept(node.name, node.op_type, "pixels", reason)
        for node in made.graph.node
        if node.name.startswith(PIXELS) and node.op_type not in ("Cast", "Transpose")
    ]


def _add_provenance(made: onnx.ModelProto, source_sha256: str, scales: Scales | None) -> None:
    metadata = metadata_of(made) | {"source_sha256": source_sha256}
    if scales is not None:
        metadata["calibration"] = json.dumps(
            {"method": scales.method, "images": scales.images}, sort_keys=True
        )
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, dict(sorted(metadata.items())))
