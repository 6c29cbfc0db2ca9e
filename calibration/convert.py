"""Converts a float32 file to a lower precision, measures it, and writes it with a report."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from drsformer.context import QUIET, Context
from drsformer.contract import IO
from drsformer.errors import CalibrationError, ExportError
from drsformer.export.graph import load_onnx, metadata_of, set_metadata
from drsformer.export.uint8_io import PREFIX as PIXELS
from drsformer.export.uint8_io import check_uint8_io, with_uint8_io
from drsformer.files import sha256_of, written_whole

from .crops import Sample
from .evaluate.evaluator import Evaluator, mean_quality
from .evaluate.report import ConversionReport, measured_report
from .evaluate.sensitivity import GroupCost, groups_to_keep, sensitivity
from .evaluate.simulated_precision import runnable
from .mixed_precision import check_convertible, mixed_precision_from_fp32
from .precision_rules import (
    KeptNode,
    LowPrecision,
    convolutions_with_reasons,
    kept_nodes,
    quantizable,
)
from .quantize import QUANTIZED_DTYPES, quantized_from_fp32
from .scales import Scales


@dataclass(frozen=True)
class Budget:
    """How much a quantisation may cost. The groups that cost too much are kept in float16.

    Attributes:
        max_drop_db: luma PSNR that may be lost against targets, mean over the images, dB.
        min_psnr_db: PSNR against the float32 output, where there are no targets, dB.
    """

    max_drop_db: float | None = None
    min_psnr_db: float | None = None

    @property
    def option(self) -> str:
        """The option of `drs-export convert` that sets it."""
        return "--min-psnr" if self.max_drop_db is None else "--max-drop"


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert, and how.

    Attributes:
        source: the float32 file that `drs-export onnx` wrote.
        output: the .onnx file to write; FILE.precision.json, the report, goes beside it.
        precision: the precision to convert to.
        scales: for "int8" and "fp8".
        budget: keep the most costly groups in float16 until this is met.
        io: type of input and output; with "uint8", float32 outputs are measured all the same.
        threads: of ONNX Runtime; by default all cores.
        timed: whether the report says how fast the CPU runtimes run the file.
        with_fp32_top_k: whether the report also has the loss with float32's top-k masks, which
            takes one more run on each image.
    """

    source: Path
    output: Path
    precision: LowPrecision
    scales: Scales | None = None
    budget: Budget | None = None
    io: IO = "float32"
    threads: int | None = None
    timed: bool = True
    with_fp32_top_k: bool = True


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Attributes:
        path: the file.
        report_path: the report beside it.
        kept: nodes that stay above the precision asked for.
        kept_groups: groups that are kept in float16 to stay within the budget.
        report: how good and how fast the file is.
    """

    path: Path
    report_path: Path
    kept: tuple[KeptNode, ...]
    kept_groups: tuple[GroupCost, ...]
    report: ConversionReport


def convert_file(
    request: ConversionRequest, samples: Sequence[Sample], context: Context = QUIET
) -> Converted:
    """Convert a float32 export and write it with its report.

    Args:
        request: what to convert, and how.
        samples: images to measure with.
        context: told the progress.

    Raises:
        ExportError: the source cannot be converted, or the output is not named .onnx.
        CalibrationError: scales are missing or of another model, the result is not finite, or
            no choice meets the budget. Nothing is written then.
    """
    if request.output.suffix != ".onnx":
        raise ExportError(f"{request.output} must end in .onnx")
    proto = load_onnx(request.source)
    check_convertible(proto, str(request.source))
    context.step("running the float32 model")
    evaluator = Evaluator(proto, samples, threads=request.threads)
    groups = _groups_to_keep(proto, evaluator, request, context)
    kept_in_fp16 = [name for group in groups for name in group.nodes]
    made = _lowered(proto, request, kept_in_fp16, low_io=request.io == "float16")
    _add_provenance(made, sha256_of(request.source), request.scales)
    models = {"fp32": proto}
    if request.precision in QUANTIZED_DTYPES:
        models["fp16"] = mixed_precision_from_fp32(proto, "fp16")
    models[request.precision] = made
    report = measured_report(
        models,
        evaluator,
        timed=request.timed,
        with_fp32_top_k=request.with_fp32_top_k,
        threads=request.threads,
        context=context,
    )
    if request.io == "uint8":
        made = with_uint8_io(made)
        check_uint8_io(runnable(made), str(request.output))
    kept = (
        *kept_nodes(proto),
        *_convolutions_in_fp16(proto, request, kept_in_fp16),
        *_pixel_nodes(made),
    )
    report_path = request.output.with_suffix(".precision.json")
    converted = Converted(request.output, report_path, kept, tuple(groups), report)
    _write(made, converted, request)
    return converted


def _lowered(
    proto: onnx.ModelProto,
    request: ConversionRequest,
    kept_in_fp16: Sequence[str],
    *,
    low_io: bool = False,
) -> onnx.ModelProto:
    """Return the model in the precision asked for; some convolutions may be kept in float16."""
    if request.precision not in QUANTIZED_DTYPES:
        return mixed_precision_from_fp32(proto, request.precision, low_io=low_io)
    if request.scales is None:
        raise CalibrationError(
            f"{request.precision} needs scales; make them with `drs-export calibrate`"
        )
    return quantized_from_fp32(proto, request.scales, kept_in_fp16=kept_in_fp16, low_io=low_io)


def _groups_to_keep(
    proto: onnx.ModelProto, evaluator: Evaluator, request: ConversionRequest, context: Context
) -> list[GroupCost]:
    """Return the groups to keep in float16, so that the rest stays within the budget."""
    if request.budget is None or request.scales is None:
        return []
    budget, precision = request.budget, request.precision
    by_target = budget.max_drop_db is not None
    if by_target and any(sample.clean is None for sample in evaluator.samples):
        raise CalibrationError(
            "--max-drop is measured against targets only; give a folder with input/ and target/, "
            "or set the smallest PSNR against float32 with --min-psnr"
        )

    def drop_of(kept_in_fp16: Sequence[str]) -> float:
        context.step(f"measuring with {len(kept_in_fp16)} convolutions in float16")
        lowered = _lowered(proto, request, kept_in_fp16)
        quality = mean_quality(evaluator.evaluate(lowered, with_fp32_top_k=False))
        return (quality.y_psnr_drop_db or 0.0) if by_target else -quality.psnr_db

    allowed = budget.max_drop_db if by_target else -(budget.min_psnr_db or 0.0)
    assert allowed is not None
    if drop_of([]) <= allowed:
        return []
    names = [node.name for node in quantizable(proto)]
    least = drop_of(names)
    if least > allowed:  # known at once, not after every group was tried
        result = f"{least:.3f} dB are lost" if by_target else f"PSNR is {-least:.1f} dB"
        raise CalibrationError(
            f"even with no convolution in {precision}, {result}: float16 itself is beyond "
            f"{budget.option}; allow more"
        )
    costs = sensitivity(
        proto, evaluator, precision, request.scales.by_tensor, only=names, context=context
    )
    return groups_to_keep(costs, drop_of, allowed)


def _convolutions_in_fp16(
    proto: onnx.ModelProto, request: ConversionRequest, kept_in_fp16: Sequence[str]
) -> list[KeptNode]:
    """Return the convolutions that stay float16 in a quantised model, with the reason."""
    if request.precision not in QUANTIZED_DTYPES:
        return []
    option = request.budget.option if request.budget else ""
    reasons = {name: f"kept in fp16 to stay within {option}" for name in kept_in_fp16}
    return [
        KeptNode(node.name, node.op_type, "float16", why)
        for node, reason in convolutions_with_reasons(proto)
        if (why := reasons.get(node.name, reason)) is not None
    ]


def _pixel_nodes(made: onnx.ModelProto) -> list[KeptNode]:
    """Return the arithmetic on pixels, which `--io uint8` adds to the graph."""
    reason = "float16's last bit is as large as one of 255 levels: pixels would be a level off"
    return [
        KeptNode(node.name, node.op_type, "pixels", reason)
        for node in made.graph.node
        if node.name.startswith(PIXELS) and node.op_type not in ("Cast", "Transpose")
    ]


def _add_provenance(made: onnx.ModelProto, source_sha256: str, scales: Scales | None) -> None:
    """Write into the metadata what the file was made from."""
    metadata = metadata_of(made) | {"source_sha256": source_sha256}
    if scales is not None:
        metadata["calibration"] = json.dumps(
            {"method": scales.method, "images": scales.images}, sort_keys=True
        )
    set_metadata(made, metadata)


def _write(made: onnx.ModelProto, converted: Converted, request: ConversionRequest) -> None:
    """Write the file and its report, both or neither."""
    with (
        written_whole(converted.report_path, inputs=[request.source]) as temporary_report,
        written_whole(converted.path, inputs=[request.source]) as temporary,
    ):
        temporary.write_bytes(made.SerializeToString(deterministic=True))
        report: dict[str, Any] = {
            "model_sha256": sha256_of(temporary),
            "source_sha256": sha256_of(request.source),
            "precision": request.precision,
            "verdict": converted.report.to_dict(),
            "given_up": [cost.group for cost in converted.kept_groups],
            "kept": [asdict(node) | {"module": node.module} for node in converted.kept],
        }
        temporary_report.write_text(json.dumps(report, indent=1) + "\n")
