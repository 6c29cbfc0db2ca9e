"""Proof that an exported file computes what the checkpoint's plain network computes.

Polygraphy runs both on the same inputs and compares; the reference is always the plain PyTorch
network in float32, never the rewritten one.

Two questions are asked apart, because top-k is discontinuous: two float32 runs of one network may
part at a near tie, by far more than rounding.

    1. Is the deployment form the same function? In float64, where near ties do not flip, it must
       equal the plain network to `MAX_REWRITE_ERROR`: that tells apart the smallest mistake.
    2. Does the file, in ONNX Runtime and float32, give what plain PyTorch gives? To `MAX_ERROR`;
       or, where the network is so touchy that float32 PyTorch itself strays further from float64
       when the input moves in its last bit, to `NOISE_FACTOR` times that.
"""

import copy
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from polygraphy.backend.base import BaseRunner
from polygraphy.backend.onnx import modify_outputs
from polygraphy.backend.onnxrt import OnnxrtRunner
from polygraphy.common import TensorMetadata
from polygraphy.comparator import Comparator, PsnrCompareFunc, SimpleCompareFunc
from polygraphy.logger import G_LOGGER

from drsformer import __version__
from drsformer.contract import CONTRACT, shape_text
from drsformer.errors import AgreementError
from drsformer.model import DRSformer

from .cpu_session import cpu_session
from .deployment import Target, deployment_from_model
from .graph import metadata_of
from .onnx_ops import STAGE_PREFIX
from .ops import TorchOps

MAX_REWRITE_ERROR = 1e-9  # in float64; 1e-14 is usual
MAX_ERROR = 5e-4  # of the output, whose range is [0, 1]: an eighth of an 8-bit level; 1e-6 is usual
NOISE_FACTOR = 4.0
NOISE_DRAWS = 3
STAGE_PSNR_DB = 60.0  # a stage below this has diverged; float32 rounding leaves 100 dB and more
MOST_PIXELS = 2**18  # of a batch; PyTorch needs about 40 KB for each in the full network
SHAPES = ((1, 3, 64, 64), (1, 3, 48, 80), (2, 3, 40, 56))

Shape = tuple[int, int, int, int]
OnStep = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One tensor on one input.

    Attributes:
        shape: of the input, (N, 3, H, W).
        tensor: stage name, or "output".
        max_error: largest absolute difference.
        mean_error: mean absolute difference.
        psnr_db: against the reference's maximum, dB; None where both are equal.
        passed: whether it is within tolerance.
        noise: the plain network's own float32 error on this input, where it had to be measured.
    """

    shape: Shape
    tensor: str
    max_error: float
    mean_error: float
    psnr_db: float | None
    passed: bool
    noise: float | None = None


@dataclass(frozen=True)
class Report:
    """What was compared and how it went; stored as JSON beside the file.

    `rewrite_error_float64` answers question 1 (None for a file in plain form), `rows` question 2.
    """

    model_sha256: str
    checkpoint_sha256: str
    rows: tuple[Row, ...]
    rewrite_error_float64: float | None = None
    reference: str = "plain DRSformer, PyTorch float32"
    runtime: str = f"ONNX Runtime {onnxruntime.__version__}, CPU"
    max_rewrite_error_allowed: float = MAX_REWRITE_ERROR
    max_error_allowed: float = MAX_ERROR
    noise_factor: float = NOISE_FACTOR
    drs_export_version: str = __version__
    versions: dict[str, str] = field(
        default_factory=lambda: {"torch": torch.__version__, "onnx": onnx.__version__}
    )

    @property
    def outputs(self) -> tuple[Row, ...]:
        """The rows that decide."""
        return tuple(row for row in self.rows if row.tensor == CONTRACT.output_name)

    @property
    def passed(self) -> bool:
        """Whether every output agrees."""
        return all(row.passed for row in self.outputs)

    @property
    def first_divergence(self) -> Row | None:
        """The first row, in the order of computation, that is out of tolerance."""
        return next((row for row in self.rows if not row.passed), None)

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(asdict(self) | {"passed": self.passed}, indent=2) + "\n"


class PlainRunner(BaseRunner):  # type: ignore[misc]  # Polygraphy has no type information
    """Runs the plain PyTorch network for Polygraphy, with its stages as further outputs."""

    def __init__(self, model: DRSformer, stages: Sequence[str]) -> None:
        super().__init__(name="PyTorch")
        self.model = model
        self.stages = stages

    def get_input_metadata_impl(self) -> TensorMetadata:
        """Accept any shape."""
        return TensorMetadata().add(CONTRACT.input_name, np.float32, (None, 3, None, None))

    def infer_impl(self, feed_dict: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
        """Return stage outputs under the names the exported graph gives them, then the output."""
        kept: dict[str, Any] = {}
        hooks = [
            self.model.get_submodule(stage).register_forward_hook(_keeper(kept, stage))
            for stage in self.stages
        ]
        try:
            with torch.inference_mode():
                image = torch.from_numpy(feed_dict[CONTRACT.input_name])
                kept[CONTRACT.output_name] = self.model(image).contiguous().numpy()
        finally:
            for hook in hooks:
                hook.remove()
        self.inference_time = 0.0
        return kept


def _keeper(kept: dict[str, Any], stage: str) -> Callable[..., None]:
    def keep(module: object, inputs: object, output: torch.Tensor) -> None:
        kept[STAGE_PREFIX + stage] = output.contiguous().numpy()

    return keep


def rewrite_error(model: DRSformer, target: Target = "any") -> float:
    """Return the largest difference of the deployment form from the plain network in float64.

    Raises:
        AgreementError: it is above `MAX_REWRITE_ERROR`.
    """
    exact = copy.deepcopy(model).double()
    image = torch.from_numpy(image_like((1, 3, 32, 40), seed=0)).double()
    with torch.inference_mode():
        deployed = deployment_from_model(exact, target)(TorchOps(), image)
        error = float((deployed - exact(image)).abs().max())
    if not error <= MAX_REWRITE_ERROR:  # NaN fails too
        raise AgreementError(
            f"the rewritten network differs from the plain one by {error:.2g} in float64, allowed "
            f"{MAX_REWRITE_ERROR:g}; nothing was written; please report this"
        )
    return error


def agreement(
    path: Path,
    model: DRSformer,
    *,
    hashes: tuple[str, str],
    stages: bool = False,
    rewritten: float | None = None,
    on_step: OnStep = log.info,
) -> Report:
    """Compare an exported file with the plain network.

    Args:
        path: the ONNX file.
        model: the plain network, float32, eval mode.
        hashes: SHA-256 of the file and of the checkpoint, for the report.
        stages: also compare the stages that the file names (the deployment form names them).
        rewritten: what `rewrite_error` gave, for the report.
        on_step: told what is being done.

    Returns:
        The report, passed or not.

    Raises:
        AgreementError: ONNX Runtime cannot run the file, or its output is not finite.
    """
    proto = _affordable(onnx.load(path))
    names = stage_names(proto) if stages else []
    if names:
        marked = [STAGE_PREFIX + name for name in names]
        proto = modify_outputs(proto, outputs=[*marked, CONTRACT.output_name])
    rows: list[Row] = []
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        runners = [PlainRunner(model, names), OnnxrtRunner(lambda: _session(proto, path))]
        feeds = list(_feeds(_shapes(proto)))
        results = Comparator.run(runners, data_loader=_told(feeds, on_step), streaming=True)
        for feed, result in zip(feeds, results, strict=True):
            rows += _compare(result, feed[CONTRACT.input_name], model)
    return Report(hashes[0], hashes[1], tuple(rows), rewritten)


def _affordable(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Free the fixed sizes of a file too large to run PyTorch at; its nodes do not depend on them.

    Only the deployment form can be freed: it takes every size from a tensor, never from a constant.
    """
    metadata = metadata_of(proto)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    batch, height, width = (dims[axis].dim_value for axis in (0, 2, 3))
    pixels = (batch or 2) * (height or 64) * (width or 80)
    if pixels <= MOST_PIXELS or metadata.get("form") != "deployed":
        return proto
    for value in (*proto.graph.input, *proto.graph.output):
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    del proto.graph.value_info[:]
    return proto


def stage_names(proto: onnx.ModelProto) -> list[str]:
    """Return the stages whose outputs a graph names, in order of computation."""
    outputs = (output for node in proto.graph.node for output in node.output)
    return [name.removeprefix(STAGE_PREFIX) for name in outputs if name.startswith(STAGE_PREFIX)]


def image_like(shape: Shape, seed: int) -> NDArray[np.float32]:
    """Return smooth colours with fine grain, float32 (N, 3, H, W) in [0, 1]."""
    rng = np.random.default_rng(seed)
    batch, channels, height, width = shape
    coarse = torch.from_numpy(rng.random((batch, channels, height // 8 + 1, width // 8 + 1)))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").numpy()
    return np.clip(smooth + rng.normal(0, 0.08, shape), 0, 1).astype(np.float32)


def _feeds(shapes: Sequence[Shape]) -> Iterator[dict[str, NDArray[np.float32]]]:
    for seed, shape in enumerate(shapes):
        yield {CONTRACT.input_name: image_like(shape, seed)}


def _told(feeds: list[Any], on_step: OnStep) -> Iterator[Any]:
    for feed in feeds:
        on_step(f"comparing at {shape_text(feed[CONTRACT.input_name].shape)}")
        yield feed


def _shapes(proto: onnx.ModelProto) -> list[Shape]:
    """Return the test shapes, with the sizes that the file fixes."""
    fixed = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    return [tuple(f or s for f, s in zip(fixed, shape, strict=True)) for shape in SHAPES]  # type: ignore[misc]  # of four


def _session(proto: onnx.ModelProto, path: Path) -> onnxruntime.InferenceSession:
    try:
        return cpu_session(proto)
    except Exception as error:  # ONNX Runtime's errors share no narrower public base
        raise AgreementError(f"ONNX Runtime cannot load {path}: {error}") from error


def _compare(result: Any, image: NDArray[np.float32], model: DRSformer) -> list[Row]:
    """Turn Polygraphy's comparison of one input into rows, in order of computation."""
    (_, (reference,)), (_, (found,)) = result
    errors, psnrs = SimpleCompareFunc()(reference, found), PsnrCompareFunc()(reference, found)
    rows = []
    for name in reference:
        if isinstance(errors[name], bool):  # Polygraphy's answer to shapes that differ
            raise AgreementError(f"{name} is {found[name].shape}, expected {reference[name].shape}")
        if not np.isfinite(found[name]).all():
            raise AgreementError(f"{name} holds NaN or Inf for an input of shape {image.shape}")
        maximum, mean, psnr = errors[name].max_absdiff, errors[name].mean_absdiff, psnrs[name].psnr
        if name == CONTRACT.output_name:
            passed, noise = _judge(maximum, image, found[name], model)
        else:
            passed, noise = psnr >= STAGE_PSNR_DB, None
        shape: Any = tuple(image.shape)
        decibels = round(psnr, 2) if np.isfinite(psnr) else None
        rows.append(Row(shape, _shown(name), maximum, mean, decibels, passed, noise))
    return rows


def _shown(name: str) -> str:
    """The stage's name; the last convolution's is told from the model's output after it."""
    stage = name.removeprefix(STAGE_PREFIX)
    return "residual" if name != stage == CONTRACT.output_name else stage


def _judge(
    error: float, image: NDArray[Any], found: NDArray[Any], model: DRSformer
) -> tuple[bool, float | None]:
    """Return whether the output passes and, where it had to be measured, the network's noise."""
    if error <= MAX_ERROR:
        return True, None
    noise, exact = _noise(image, model)
    return bool(np.abs(found - exact).max() <= NOISE_FACTOR * noise), noise


def _noise(image: NDArray[Any], model: DRSformer) -> tuple[float, NDArray[Any]]:
    """Return how far float32 strays from float64 under last-bit changes, and the float64 output."""
    rng = np.random.default_rng(0)
    double = copy.deepcopy(model).double()
    with torch.inference_mode():
        exact = double(torch.from_numpy(image).double()).numpy()
        strays = [0.0]
        for _ in range(NOISE_DRAWS):
            nudged = np.nextafter(image, rng.choice(np.array([-1, 2], np.float32), image.shape))
            strays.append(float(np.abs(model(torch.from_numpy(nudged)).numpy() - exact).max()))
    return max(strays), exact
