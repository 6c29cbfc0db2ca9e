"""Run an exported model on images: numpy, OpenCV and ONNX Runtime; no torch, no onnx."""

from .derainer import Derainer
from .options import RunOptions

__all__ = ["Derainer", "RunOptions"]
