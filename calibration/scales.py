"""The scales file: what calibration found, readable, diffable, and bound to one model.

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
class Range:
    """Of one tensor.

    Attributes:
        largest: magnitude seen.
        clip: magnitude at which the grid ends.
        scale: one step of the grid, clip / 127 or clip / 448.
    """

    largest: float
    clip: float
    scale: float


@dataclass(frozen=True)
class Scales:
    """A scales file.

    Attributes:
        model_sha256: of the float32 model it belongs to.
        grid: "int8" or "fp8".
        method: how `clip` was chosen.
        images: where the images came from: source, count, side in pixels, sha256 of the pixels.
        tensors: by name.
    """

    model_sha256: str
    grid: str
    method: str
    images: dict[str, Any]
    tensors: dict[str, Range]

    @property
    def steps(self) -> dict[str, float]:
        """The scale by tensor name."""
        return {name: found.scale for name, found in self.tensors.items()}

    def to_json(self) -> str:
        """Return the file's text, one tensor a line."""
        head = {
            "format": FORMAT,
            "model_sha256": self.model_sha256,
            "grid": self.grid,
            "method": self.method,
            "images": self.images,
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        tensors = ",\n".join(
            f"  {json.dumps(name)}: "
            + json.dumps({"largest": r.largest, "clip": r.clip, "scale": r.scale})
            for name, r in self.tensors.items()
        )
        return "{\n" + ",\n".join([*lines, ' "tensors": {\n' + tensors + "\n }"]) + "\n}\n"


def scales_from_file(path: Path) -> Scales:
    """Read a scales file.

    Raises:
        CalibrationError: it is no such file, or a scale in it is not a number above 0.
    """
    check_readable(path, CalibrationError, REMEDY)
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            raise ValueError(f"its format is {values['format']!r}, not {FORMAT!r}")
        tensors = {
            str(name): Range(float(r["largest"]), float(r["clip"]), float(r["scale"]))
            for name, r in values["tensors"].items()
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
    for name, found in tensors.items():
        if not (math.isfinite(found.scale) and found.scale > 0):
            raise CalibrationError(
                f"{path}: the scale of {name} is {found.scale:g}; expected a number above 0; "
                "calibrate again"
            )
    return made


def check_belongs(scales: Scales, path: Path, model_sha256: str, model: Path, grid: str) -> None:
    """Raise CalibrationError unless scales are for a model and a grid."""
    if scales.model_sha256 != model_sha256:
        raise CalibrationError(
            f"{path} was made for another model (SHA-256 {scales.model_sha256[:12]}...) than "
            f"{model} ({model_sha256[:12]}...); calibrate this one"
        )
    if scales.grid != grid:
        raise CalibrationError(
            f"{path} holds scales for {scales.grid}, not {grid}; calibrate with --grid {grid}"
        )


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
