"""Writes the path of the library in ONNX Runtime's wheel, which is not imported."""

import importlib.util
import sys
from pathlib import Path

found = importlib.util.find_spec("onnxruntime")
if found is None or found.origin is None:
    sys.exit("this Python has no onnxruntime; install it, or set DRSFORMER_ORT_LIBRARY")
libraries = sorted((Path(found.origin).parent / "capi").glob("libonnxruntime.so*"))
if not libraries:
    sys.exit("this onnxruntime has no libonnxruntime.so; set DRSFORMER_ORT_LIBRARY")
sys.stdout.write(f"{libraries[0]}\n")
