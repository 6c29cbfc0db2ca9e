"""DRSformer image deraining: the network, its contract, and the stages that deploy it.

    drsformer.export        checkpoint -> exact ONNX -> engine      (needs the extra [export])
    drsformer.calibration   lower precision: ranges, conversion     (needs the extra [calibration])
    drsformer.runtime       ONNX or engine -> derained images; no torch

Importing this package imports nothing heavy.
"""

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
