"""Images to scales: run the float32 model, record how large its tensors get, choose a scale."""

from collections.abc import Sequence
from pathlib import Path

import onnx

from drsformer.context import QUIET, Context
from drsformer.errors import CalibrationError
from drsformer.export.graph import load_onnx
from drsformer.files import sha256_of

from .clipping import ClippingMethod, amax_of, shared_scale
from .crops import Crops
from .evaluate.evaluator import check_sizes
from .mixed_precision import check_convertible
from .precision_rules import quantizable
from .quantize import QUANTIZED_DTYPES, QuantizedDtype
from .ranges import Histogram, histograms
from .scales import Scales, TensorScale

DEFAULT_METHOD: ClippingMethod = "mse"


def scales_from_images(
    model: Path,
    crops: Crops,
    *,
    precision: str = "int8",
    method: ClippingMethod = DEFAULT_METHOD,
    nodes: Sequence[onnx.NodeProto] | None = None,
    threads: int | None = None,
    context: Context = QUIET,
) -> Scales:
    """Calibrate a model.

    Args:
        model: the float32 ONNX file, in deployment form.
        crops: images of one size.
        precision: what the scales are for, "int8" or "fp8".
        method: how the largest representable magnitude is chosen.
        nodes: the convolutions whose inputs get a scale; by default those of `quantizable`.
        threads: of ONNX Runtime; by default all cores.
        context: told the progress.

    Returns:
        A scale for each tensor that one of the convolutions reads. The same model, crops,
        method and number of threads give the same scales.

    Raises:
        ExportError: the file is not a float32 model of ours in deployment form.
        CalibrationError: a tensor is all zeros, or not finite, on these images.
    """
    proto = load_onnx(model)
    check_convertible(proto, str(model))
    check_sizes(proto, crops.images)
    names = list(dict.fromkeys(node.input[0] for node in nodes or quantizable(proto)))
    found = histograms(proto, names, crops.images, threads=threads, context=context)
    tensors = {
        name: _tensor_scale(name, histogram, method, QUANTIZED_DTYPES[precision])
        for name, histogram in found.items()
    }
    images = {
        "source": crops.source,
        "count": len(crops.images),
        "side": crops.images[0].shape[0],
        "sha256": crops.sha256,
    }
    return Scales(sha256_of(model), precision, method, images, tensors)


def _tensor_scale(
    name: str, histogram: Histogram, method: ClippingMethod, dtype: QuantizedDtype
) -> TensorScale:
    amax = amax_of(histogram, method, dtype)
    if amax == 0.0:
        raise CalibrationError(
            f"{name} is 0 everywhere on these images, so it has no range; calibrate on others"
        )
    scale = shared_scale(amax / dtype.largest)
    return TensorScale(histogram.largest, scale * dtype.largest, scale)
