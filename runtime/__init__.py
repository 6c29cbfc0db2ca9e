"""Run an exported model on images: numpy, OpenCV and ONNX Runtime; no torch, no onnx."""

from .derainer import Derainer

__all__ = ["Derainer"]
