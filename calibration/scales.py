"""The scales file: the result of a calibration, as readable JSON that is bound to one model.

{
 "format": "drs-export scales 1",
 "model_sha256": "...",          of the float32 ONNX file
 "grid": "int8", "method": "mse",
 "images": {"source": "...", "count": 32, "side": 256, "sha256": "..."},
 "tensors": {"stage/patch_embed": {"largest": 1.93, "clip": 1.71, "scale": 0.0135}, ...}
}
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drsformer.errors import CalibrationError
from drsformer.files import check_readable

FORMAT = "drs-export scales 1"
REMEDY = "make one with `drs-export calibrate`"


@dataclass(frozen=True)
class TensorScale:
    """The scale of one tensor, and what it follows from.

    Attributes:
        largest: largest magnitude seen on the images.
        amax: largest magnitude that the quantised dtype represents; "clip" in the file.
        scale: amax / 127 for int8, amax / 448 for fp8.
    """

    largest: float
    amax: float
    scale: float


@dataclass(frozen=True)
class Scales:
    """The content of a scales file.

    Attributes:
        model_sha256: of the float32 model that the scales belong to.
        precision: "int8" or "fp8"; "grid" in the file.
        method: the clipping method, which chose `amax`.
        images: what was calibrated with: source, count, side in pixels, sha256 of the pixels.
        tensors: by name.
    """

    model_sha256: str
    precision: str
    method: str
    images: dict[str, Any]
    tensors: dict[str, TensorScale]

    @property
    def by_tensor(self) -> dict[str, float]:
        """The scale by tensor name."""
        return {name: tensor.scale for name, tensor in self.tensors.items()}

    def to_json(self) -> str:
        """Return the file's text, one tensor a line."""
        head = {
            "format": FORMAT,
            "model_sha256": self.model_sha256,
            "grid": self.precision,
            "method": self.method,
            "images": self.images,
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        tensors = ",\n".join(
            f"  {json.dumps(name)}: "
            + json.dumps({"largest": t.largest, "clip": t.amax, "scale": t.scale})
            for name, t in self.tensors.items()
        )
        return "{\n" + ",\n".join([*lines, ' "tensors": {\n' + tensors + "\n }"]) + "\n}\n"


def scales_from_file(path: Path) -> Scales:
    """Read a scales file.

    Raises:
        CalibrationError: the file is of another kind, or holds a scale that is not above 0.
    """
    check_readable(path, CalibrationError, REMEDY)
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            raise ValueError(f"its format is {values['format']!r}, not {FORMAT!r}")
        tensors = {
            str(name): TensorScale(float(t["largest"]), float(t["clip"]), float(t["scale"]))
            for name, t in values["tensors"].items()
        }
        made = Scales(
            str(values["model_sha256"]),
            str(values["grid"]),
            str(values["method"]),
            dict(values["images"]),
            tensors,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CalibrationError(f"{path} is not a scales file: {_why(error)}; {REMEDY}") from error
    for name, tensor in tensors.items():
        if not (math.isfinite(tensor.scale) and tensor.scale > 0):
            raise CalibrationError(
                f"{path}: the scale of {name} is {tensor.scale:g}; expected a number above 0; "
                "calibrate again"
            )
    return made


def check_belongs(
    scales: Scales, path: Path, model_sha256: str, model: Path, precision: str
) -> None:
    """Raise CalibrationError unless the scales are for this model and this precision."""
    if scales.model_sha256 != model_sha256:
        raise CalibrationError(
            f"{path} was made for another model (SHA-256 {scales.model_sha256[:12]}...) than "
            f"{model} ({model_sha256[:12]}...); calibrate this one"
        )
    if scales.precision != precision:
        raise CalibrationError(
            f"{path} holds scales for {scales.precision}, not {precision}; calibrate with "
            f"--precision {precision}"
        )


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
