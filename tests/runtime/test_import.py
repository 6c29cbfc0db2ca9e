"""The runtime is what gets deployed: it must start where torch and onnx are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCKED = ("torch", "onnx", "onnxscript", "onnx_ir", "polygraphy", "safetensors", "skimage")
SCRIPT = """
import sys
for name in sys.argv[2:]:
    sys.modules[name] = None                 # importing it raises ModuleNotFoundError
import numpy as np
from drsformer.runtime import Derainer
with Derainer(sys.argv[1], threads=1) as derainer:
    print(derainer.derain(np.zeros((9, 10, 3), np.uint8)).shape)
"""


def test_the_runtime_needs_neither_torch_nor_onnx(small_onnx: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(small_onnx), *BLOCKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("(9, 10, 3)\n", "")
