"""Checks that an exported file computes what the checkpoint's plain network computes.

Polygraphy runs both on the same inputs and compares them. The reference is always the plain
PyTorch network, never the deployment form.

The check answers two questions separately, because top-k is discontinuous: two float32 runs of
one network may select different entries at a near tie, and then differ by far more than rounding.

    1. Is the deployment form the same function? In float64, where near ties do not flip, it must
       equal the plain network to `MAX_REWRITE_ERROR`. Even a small mistake exceeds that.
    2. Does the file, in ONNX Runtime and float32, give the output of plain PyTorch? It must do so
       to `MAX_ERROR`. Some networks are so sensitive that float32 PyTorch itself differs more
       from float64 when the last bit of the input changes; there, `NOISE_FACTOR` times that
       difference is allowed.
"""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from drsformer.context import QUIET, Context
from drsformer.contract import CONTRACT, shape_text
from drsformer.errors import AgreementError
from drsformer.model import DRSformer

from .cpu_session import cpu_session
from .deployment import Runtime, deployment_from_model
from .graph import STAGE_PREFIX, metadata_of
from .ops import TorchOps

MAX_REWRITE_ERROR = 1e-9  # in float64; 1e-14 is usual
MAX_ERROR = 5e-4  # the output's range is [0, 1]: an eighth of an 8-bit level; 1e-6 is usual
NOISE_FACTOR = 4.0
NOISE_DRAWS = 3
STAGE_PSNR_DB = 60.0  # a stage below this has diverged; rounding leaves 100 dB and more
MOST_PIXELS = 2**18  # in a batch; PyTorch needs about 40 KB for each in the full network
SHAPES = ((1, 3, 64, 64), (1, 3, 48, 80), (2, 3, 40, 56))

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class TensorComparison:
    """How far one tensor of the file is from the reference, on one input.

    Attributes:
        shape: shape of the input, (N, 3, H, W).
        tensor: name of the stage, or "output".
        max_error: largest absolute difference.
        mean_error: mean absolute difference.
        psnr_db: PSNR with the reference's maximum as peak, dB; None where both are equal.
        passed: whether the tensor is within tolerance.
        noise: the plain network's own float32 error on this input; None where it was not needed.
    """

    shape: Shape
    tensor: str
    max_error: float
    mean_error: float
    psnr_db: float | None
    passed: bool
    noise: float | None = None


@dataclass(frozen=True)
class AgreementReport:
    """What was compared and with which result; it is stored as JSON beside the file.

    `rewrite_error_float64` answers question 1 (it is None for a plain file), `rows` question 2.
    """

    model_sha256: str
    checkpoint_sha256: str
    rows: tuple[TensorComparison, ...]
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
    def outputs(self) -> tuple[TensorComparison, ...]:
        """The comparisons of the network's output; they alone decide whether the file passes."""
        return tuple(row for row in self.rows if row.tensor == CONTRACT.output_name)

    @property
    def passed(self) -> bool:
        """Whether every output is within tolerance."""
        return all(row.passed for row in self.outputs)

    @property
    def max_error(self) -> float:
        """The largest absolute difference of an output."""
        return max(row.max_error for row in self.outputs)

    @property
    def first_divergence(self) -> TensorComparison | None:
        """The first tensor, in the order of computation, that is out of tolerance."""
        return next((row for row in self.rows if not row.passed), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self) | {"passed": self.passed}

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


class PlainRunner(BaseRunner):  # type: ignore[misc]  # Polygraphy has no type information
    """Runs the plain PyTorch network for Polygraphy; its stages are additional outputs."""

    def __init__(self, model: DRSformer, stages: Sequence[str]) -> None:
        super().__init__(name="PyTorch")
        self.model = model
        self.stages = stages

    def get_input_metadata_impl(self) -> TensorMetadata:
        """Accept any shape."""
        return TensorMetadata().add(CONTRACT.input_name, np.float32, (None, 3, None, None))

    def infer_impl(self, feed_dict: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
        """Return the stages, under the names they have in the exported graph, and the output."""
        outputs: dict[str, Any] = {}
        hooks = [
            self.model.get_submodule(stage).register_forward_hook(_hook(outputs, stage))
            for stage in self.stages
        ]
        try:
            with torch.inference_mode(), _one_thread():
                image = torch.from_numpy(feed_dict[CONTRACT.input_name])
                outputs[CONTRACT.output_name] = self.model(image).contiguous().numpy()
        finally:
            for hook in hooks:
                hook.remove()
        self.inference_time = 0.0
        return outputs


def _hook(outputs: dict[str, Any], stage: str) -> Callable[..., None]:
    """Return a forward hook that stores the output of a stage."""

    def store(module: object, inputs: object, output: torch.Tensor) -> None:
        outputs[STAGE_PREFIX + stage] = output.contiguous().numpy()

    return store


def rewrite_error(model: DRSformer, runtime: Runtime = "any") -> float:
    """Return the largest difference of the deployment form from the plain network in float64.

    Raises:
        AgreementError: the difference is above `MAX_REWRITE_ERROR`.
    """
    exact = copy.deepcopy(model).double()
    image = torch.from_numpy(image_like((1, 3, 32, 40), seed=0)).double()
    with torch.inference_mode(), _one_thread():
        deployed = deployment_from_model(exact, runtime)(TorchOps(), image)
        error = float((deployed - exact(image)).abs().max())
    if not error <= MAX_REWRITE_ERROR:  # NaN fails too
        raise AgreementError(
            f"the deployment form differs from the plain network by {error:.2g} in float64, "
            f"allowed is {MAX_REWRITE_ERROR:g}; nothing was written; please report this"
        )
    return error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch compute in one thread: on a small input more of them mostly wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check_against_pytorch(
    path: Path,
    model: DRSformer,
    *,
    hashes: tuple[str, str],
    stages: bool = False,
    rewrite_error_float64: float | None = None,
    context: Context = QUIET,
) -> AgreementReport:
    """Compare an exported file with the plain network.

    Args:
        path: the ONNX file.
        model: the plain network, float32, eval mode.
        hashes: SHA-256 of the file and of the checkpoint, for the report.
        stages: compare the stages too; a file in deployment form names them, a plain one does not.
        rewrite_error_float64: the result of `rewrite_error`, for the report.
        context: is told the shape of each input.

    Returns:
        The report, whether the file passes or not.

    Raises:
        AgreementError: ONNX Runtime cannot run the file, or its output is not finite.
    """
    proto = _with_affordable_sizes(onnx.load(path))
    names = stage_names(proto) if stages else []
    if names:
        marked = [STAGE_PREFIX + name for name in names]
        proto = modify_outputs(proto, outputs=[*marked, CONTRACT.output_name])
    rows: list[TensorComparison] = []
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        runners = [PlainRunner(model, names), OnnxrtRunner(lambda: _session(proto, path))]
        feeds = list(_feeds(_shapes(proto)))
        results = Comparator.run(runners, data_loader=_announced(feeds, context), streaming=True)
        for feed, result in zip(feeds, results, strict=True):
            rows += _compare(result, feed[CONTRACT.input_name], model)
    return AgreementReport(hashes[0], hashes[1], tuple(rows), rewrite_error_float64)


def _with_affordable_sizes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Make the sizes of a file dynamic if they are fixed and too large to run PyTorch at.

    Only the deployment form allows this: none of its nodes depends on the fixed sizes.
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
    """Return the stages whose outputs have a name in the graph, in order of computation."""
    outputs = (output for node in proto.graph.node for output in node.output)
    return [name.removeprefix(STAGE_PREFIX) for name in outputs if name.startswith(STAGE_PREFIX)]


def image_like(shape: Shape, seed: int) -> NDArray[np.float32]:
    """Return smooth colours with fine noise, float32 (N, 3, H, W) in [0, 1]."""
    rng = np.random.default_rng(seed)
    batch, channels, height, width = shape
    coarse = torch.from_numpy(rng.random((batch, channels, height // 8 + 1, width // 8 + 1)))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").numpy()
    return np.clip(smooth + rng.normal(0, 0.08, shape), 0, 1).astype(np.float32)


def _feeds(shapes: Sequence[Shape]) -> Iterator[dict[str, NDArray[np.float32]]]:
    for seed, shape in enumerate(shapes):
        yield {CONTRACT.input_name: image_like(shape, seed)}


def _announced(feeds: list[Any], context: Context) -> Iterator[Any]:
    """Yield the inputs, each after a step of the progress."""
    for feed in feeds:
        context.step(f"comparing at {shape_text(feed[CONTRACT.input_name].shape)}")
        yield feed


def _shapes(proto: onnx.ModelProto) -> list[Shape]:
    """Return `SHAPES`, with the sizes that the file fixes in their place."""
    fixed = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    return [tuple(f or s for f, s in zip(fixed, shape, strict=True)) for shape in SHAPES]  # type: ignore[misc]  # four of them


def _session(proto: onnx.ModelProto, path: Path) -> onnxruntime.InferenceSession:
    try:
        return cpu_session(proto)
    except Exception as error:  # ONNX Runtime's errors share no narrower public base
        raise AgreementError(f"ONNX Runtime cannot load {path}: {error}") from error


def _compare(result: Any, image: NDArray[np.float32], model: DRSformer) -> list[TensorComparison]:
    """Compare the two results of Polygraphy on one input, in order of computation."""
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
            passed, noise = _output_passes(maximum, image, found[name], model)
        else:
            passed, noise = psnr >= STAGE_PSNR_DB, None
        shape: Any = tuple(image.shape)
        decibels = round(psnr, 2) if np.isfinite(psnr) else None
        rows.append(TensorComparison(shape, _shown(name), maximum, mean, decibels, passed, noise))
    return rows


def _shown(name: str) -> str:
    """Return a tensor's stage; the last convolution, `output` in the model, is the residual."""
    stage = name.removeprefix(STAGE_PREFIX)
    return "residual" if name != stage == CONTRACT.output_name else stage


def _output_passes(
    error: float, image: NDArray[Any], found: NDArray[Any], model: DRSformer
) -> tuple[bool, float | None]:
    """Return whether the output passes and, if it had to be measured, the network's own noise."""
    if error <= MAX_ERROR:
        return True, None
    noise, exact = _noise(image, model)
    return bool(np.abs(found - exact).max() <= NOISE_FACTOR * noise), noise


def _noise(image: NDArray[Any], model: DRSformer) -> tuple[float, NDArray[Any]]:
    """Return how far float32 is from float64 when last bits change, and the float64 output."""
    rng = np.random.default_rng(0)
    double = copy.deepcopy(model).double()
    with torch.inference_mode():
        exact = double(torch.from_numpy(image).double()).numpy()
        errors = [0.0]
        for _ in range(NOISE_DRAWS):
            nudged = np.nextafter(image, rng.choice(np.array([-1, 2], np.float32), image.shape))
            errors.append(float(np.abs(model(torch.from_numpy(nudged)).numpy() - exact).max()))
    return max(errors), exact
