"""Images to scales: run the float32 model, see how large its tensors get, choose a step."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from drsformer.errors import CalibrationError
from drsformer.export.graph import load_onnx
from drsformer.files import sha256_of

from .clipping import Method, clip_of, shared_step
from .crops import Crops
from .mixed_precision import check_convertible
from .quantize import GRIDS
from .ranges import histograms
from .rules import quantizable
from .scales import Range, Scales

DEFAULT_METHOD: Method = "mse"


def scales_from_images(
    model: Path,
    crops: Crops,
    *,
    grid: str = "int8",
    method: Method = DEFAULT_METHOD,
    nodes: Sequence[onnx.NodeProto] | None = None,
    threads: int | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Scales:
    """Calibrate a model.

    Args:
        model: the float32 ONNX file, deployment form.
        crops: images of one size.
        grid: what will be quantised to, "int8" or "fp8".
        method: how to choose where to clip.
        nodes: the convolutions whose inputs get a scale; by default those of `quantizable`.
        threads: of ONNX Runtime; by default all cores.
        on_step: told before each run.

    Returns:
        A scale for each tensor that one of the convolutions reads. The same model, crops,
        method and number of threads give the same scales.

    Raises:
        ExportError: the file is not a float32 model of ours in deployment form.
        CalibrationError: a tensor is all zeros, or not finite, on these images.
    """
    proto = load_onnx(model)
    check_convertible(proto, str(model))
    names = list(dict.fromkeys(node.input[0] for node in nodes or quantizable(proto)))
    found = histograms(proto, names, crops.images, threads=threads, on_step=on_step)
    ranges = {}
    for name, histogram in found.items():
        clip = clip_of(histogram, method)
        if clip == 0.0:
            raise CalibrationError(
                f"{name} is 0 everywhere on these images, so it has no range; calibrate on others"
            )
        step = shared_step(clip / GRIDS[grid].largest)
        ranges[name] = Range(histogram.largest, step * GRIDS[grid].largest, step)
    images = {
        "source": crops.source,
        "count": len(crops.images),
        "side": crops.images[0].shape[0],
        "sha256": crops.sha256,
    }
    return Scales(sha256_of(model), grid, method, images, ranges)
