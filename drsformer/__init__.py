"""DRSformer image deraining: the network, its contract, and the rooms that deploy it.

    drsformer.export        checkpoint -> exact ONNX -> engine      (needs the extra [export])
    drsformer.calibration   lower precision: ranges, conversion     (needs the extra [onnx])
    drsformer.runtime       ONNX or engine -> derained images; no torch

Importing this package imports nothing heavy.
"""

import os

from drsformer.errors import (
    AgreementError,
    CalibrationError,
    CheckpointError,
    DRSformerError,
    EngineError,
    ExportError,
    ImageError,
    ModelError,
    ProviderError,
    ShapeError,
)

__version__ = "0.1.0"

# ONNX Runtime writes a device id into the home folder and reports to its maker; it reads this when
# it is imported, which is after this package
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "AgreementError",
    "CalibrationError",
    "CheckpointError",
    "DRSformerError",
    "EngineError",
    "ExportError",
    "ImageError",
    "ModelError",
    "ProviderError",
    "ShapeError",
    "__version__",
]
