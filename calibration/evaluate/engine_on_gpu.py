"""Compares an engine on a GPU with ONNX Runtime on the same typed ONNX file.

First the output of the engine itself is compared; only this decides. Then a second engine is built
of the same network, with the network's stages and top-k masks as further outputs, to show where a
difference begins. These outputs may change which layers are fused, so they do not decide.

ONNX Runtime runs the file in simulated precision and the top-k masks are calibration's: so this is
in calibration and not in export, which must not import it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from polygraphy.backend.onnx import BytesFromOnnx
from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx

from drsformer.context import Context
from drsformer.contract import CONTRACT, shape_text
from drsformer.engine.cuda import Stream, use_device
from drsformer.engine.execution import Contexts, Execution, fault_named
from drsformer.engine.gpu import Gpu
from drsformer.engine.libraries import LIBRARIES, module_of
from drsformer.engine.loaded_engine import LoadedEngine, engine_from_file
from drsformer.engine.manifest import InputShape, Manifest, Profile
from drsformer.export.engine.build import engine_from_network
from drsformer.export.engine.network import network_from_onnx
from drsformer.export.engine.settings import EngineSettings
from drsformer.export.graph import STAGE_PREFIX
from drsformer.metrics import psnr

from .simulated_precision import runnable
from .top_k_masks import mismatch_rate, top_k_mask_names, with_masks_as_outputs

# dB of the output against ONNX Runtime on the same file. They differ by the order of sums, by the
# top-k entries that change with it, and by TF32 in float32 engines. The limits follow from what
# these cost on the CPU, since no GPU was at hand
LEAST_PSNR_DB = {"fp32": 60.0, "fp16": 50.0, "bf16": 40.0, "int8": 40.0, "fp8": 40.0}
MOST_PIXELS = 512 * 512  # for ONNX Runtime on the CPU, which takes minutes for more


@dataclass(frozen=True)
class Comparison:
    """One tensor on one input.

    Attributes:
        tensor: "output", a stage, or "top-k selections".
        shape: of the input, as text.
        psnr_db: dB, with ONNX Runtime's largest magnitude as the peak; None where both are equal,
            where one has NaN or Inf (it has not passed then), and for selections.
        flip_rate: share of the top-k entries that differ; None for tensors.
        decides: whether the validation depends on it.
        passed: whether the difference is allowed.
    """

    tensor: str
    shape: str
    psnr_db: float | None
    flip_rate: float | None
    decides: bool
    passed: bool

    @property
    def detail(self) -> str:
        """The figure as text."""
        if self.flip_rate is not None:
            return f"{100 * self.flip_rate:.3f} % of entries differ"
        if self.psnr_db is None:
            return "equal" if self.passed else "NaN or Inf"
        return f"{self.psnr_db:.1f} dB"


def compared_on_gpu(
    engine: Path, manifest: Manifest, proto: onnx.ModelProto, gpu: Gpu, context: Context
) -> list[Comparison]:
    """Run the engine, one with further outputs, and ONNX Runtime on the same noise.

    Args:
        engine: one that runs on this machine's GPU.
        manifest: of the engine.
        proto: the model that it was built from.
        gpu: the one to run it on.
        context: told the steps.
    """
    module, is_rtx = module_of(LIBRARIES[manifest.flavor]), manifest.flavor == "tensorrt_rtx"
    made: list[Comparison] = []
    with fault_named(engine, gpu), ExitStack() as owned:
        use_device(gpu.device)
        contexts = Contexts(engine_from_file(module, engine, manifest), is_rtx=is_rtx)
        owned.callback(contexts.close)
        for number, profile in enumerate(manifest.profiles):
            shape = _shape_to_try(profile, manifest)
            feed = {manifest.contract.input_name: _noise(shape, manifest.contract.dtype)}
            context.step(f"running {shape_text(shape)}")
            (found,) = _run_engine(contexts, feed, profile=number).values()
            (expected,) = _run_onnx(proto, feed).values()
            allowed = LEAST_PSNR_DB[manifest.precision]
            made.append(_row(CONTRACT.output_name, shape, found, expected, allowed))
            context.step("comparing stages")
            made += _stages(manifest, proto, gpu, feed)
    return made


def marked(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its stages and top-k masks as further outputs."""
    made: onnx.ModelProto = with_masks_as_outputs(proto)
    known = {
        value.name: value for value in onnx.shape_inference.infer_shapes(proto).graph.value_info
    }
    stages = [
        known[node.output[0]]
        for node in proto.graph.node
        if node.output[0].startswith(STAGE_PREFIX) and node.op_type != "Cast"
    ]
    for stage in stages:
        if stage.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16:  # numpy has no such type
            wide = f"{stage.name}.shown"
            made.graph.node.append(
                onnx.helper.make_node("Cast", [stage.name], [wide], to=onnx.TensorProto.FLOAT)
            )
            stage.name = wide
            stage.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    made.graph.output.extend(stages)
    return made


def _stages(
    manifest: Manifest, proto: onnx.ModelProto, gpu: Gpu, feed: dict[str, NDArray[Any]]
) -> Iterator[Comparison]:
    model = marked(proto)
    module = module_of(LIBRARIES[manifest.flavor])
    parsed = network_from_onnx(module, model)
    rtx = manifest.flavor == "tensorrt_rtx"
    capabilities = (gpu.compute_capability,) if rtx else ()
    (shape,) = (array.shape for array in feed.values())
    fixed = (Profile(shape, shape, shape),)
    content = engine_from_network(
        parsed,
        EngineSettings(LIBRARIES[manifest.flavor], fixed, capabilities, device=gpu.device),
    )
    loaded = LoadedEngine(module, content, "the engine with its stages as outputs")
    with closing(Contexts(loaded, is_rtx=rtx)) as contexts:
        found = _run_engine(contexts, feed)
    expected = _run_onnx(model, feed)
    selections = top_k_mask_names(proto)
    for name in expected:
        if name not in selections and name != CONTRACT.output_name:
            yield _row(_stage(name), shape, found[name], expected[name], None)
    rate = mismatch_rate([found[n] for n in selections], [expected[n] for n in selections])
    yield Comparison("top-k selections", shape_text(shape), None, rate, False, True)


def _run_engine(
    contexts: Contexts, feed: dict[str, NDArray[Any]], *, profile: int = 0
) -> dict[str, NDArray[Any]]:
    """Run an engine once, with all of its outputs.

    Polygraphy's runner is not used: it needs another CUDA runtime library, and chooses between
    TensorRT and TensorRT-RTX when it is imported.
    """
    with ExitStack() as owned:
        stream = Stream()
        owned.callback(stream.close)
        shapes = {name: array.shape for name, array in feed.items()}
        execution = Execution(contexts, stream, shapes, profile=profile)
        owned.callback(execution.close)
        return execution.run(feed)


def _run_onnx(proto: onnx.ModelProto, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    with OnnxrtRunner(SessionFromOnnx(BytesFromOnnx(runnable(proto)))) as runner:
        return {name: np.array(value) for name, value in runner.infer(feed).items()}


def _row(
    tensor: str,
    shape: InputShape,
    found: NDArray[Any],
    expected: NDArray[Any],
    allowed: float | None,
) -> Comparison:
    text, decides = shape_text(shape), allowed is not None
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return Comparison(tensor, text, None, None, decides, passed=False)
    found_db = psnr(found, expected, float(np.abs(expected).max()) or 1.0)
    passed = allowed is None or found_db >= allowed
    return Comparison(tensor, text, None if found_db == inf else found_db, None, decides, passed)


def _shape_to_try(profile: Profile, manifest: Manifest) -> InputShape:
    """Return the shape the engine is fastest at, or its smallest if that is too slow on a CPU."""
    sizes = dict(zip(manifest.contract.layout, profile.opt, strict=True))
    small = sizes["N"] * sizes["H"] * sizes["W"] <= MOST_PIXELS
    return profile.opt if small else profile.min


def _noise(shape: Sequence[int], dtype: str) -> NDArray[Any]:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return pixels if dtype == "uint8" else (pixels / np.float32(255)).astype(dtype)


def _stage(name: str) -> str:
    return name.removeprefix(STAGE_PREFIX).removesuffix(".shown")
