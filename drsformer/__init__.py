"""DRSformer image deraining: the network, its contract, and the stages that deploy it.

    drsformer.export        checkpoint -> validated ONNX            (needs the extra [export])
    drsformer.calibration   synthetic rain, calibration images      (needs the extra [calibration])
    drsformer.runtime       ONNX -> derained images; no torch

Importing this package imports nothing heavy.
"""

from drsformer.errors import DRSformerError

__version__ = "0.1.0"

__all__ = ["DRSformerError", "__version__"]
