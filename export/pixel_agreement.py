"""Proof that a model with pixels in its graph gives what the same model gives without them."""

import numpy as np
import onnx
import onnxruntime as ort

from drsformer.contract import image_from_output, input_from_image
from drsformer.errors import AgreementError

from .emulated import runnable
from .pixel_io import without_pixel_io

SIZES = ((64, 64), (48, 80), (8, 8))  # height, width, pixels


def check_pixels_agree(proto: onnx.ModelProto, source: str) -> None:
    """Run both on noise in ONNX Runtime and compare every pixel.

    Args:
        proto: a model with uint8 input and output.
        source: its name, for the error.

    Raises:
        AgreementError: a pixel differs.
    """
    proto = runnable(proto)
    rng = np.random.default_rng(0)
    with_pixels, without = _session(proto), _session(without_pixel_io(proto))
    for height, width in _sizes(proto):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        batch = _fixed_batch(proto)
        (pixels,) = with_pixels.run(None, {_input(with_pixels): np.stack([image] * batch)})
        scaled = np.concatenate([input_from_image(image)] * batch)
        (output,) = without.run(None, {_input(without): scaled})
        expected = image_from_output(output[:1], image)
        if not np.array_equal(pixels[0], expected):
            most = int(np.abs(pixels[0].astype(int) - expected).max())
            raise AgreementError(
                f"{source}: pixels differ by up to {most} levels from the float32 model's at "
                f"{height}x{width}; nothing was written, please report this"
            )


def _sizes(proto: onnx.ModelProto) -> tuple[tuple[int, int], ...]:
    """Return the sizes to try: the fixed ones, where the model has them."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    fixed = dims[1].dim_value, dims[2].dim_value
    return tuple(dict.fromkeys((fixed[0] or h, fixed[1] or w) for h, w in SIZES))


def _fixed_batch(proto: onnx.ModelProto) -> int:
    return proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1


def _session(proto: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _input(session: ort.InferenceSession) -> str:
    return str(session.get_inputs()[0].name)
