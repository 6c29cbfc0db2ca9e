"""What the runtime holds does not grow from one image to the next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drsformer.runtime import RunOptions
from drsformer.runtime.model import Model

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from drsformer.runtime import Derainer

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

image = np.zeros((256, 320, 3), np.uint8)
with Derainer(sys.argv[1], threads=2) as derainer:
    peaks = [peak()]
    for _ in range(3):
        derainer.derain(image)
        peaks.append(peak())
print(*peaks)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak memory")
def test_the_second_image_needs_no_more_than_the_first(small_onnx: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(small_onnx)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    opened, first, *_, last = map(int, done.stdout.split())
    assert first - opened > 50_000  # KiB: else this would measure nothing
    assert last - first < 0.25 * (first - opened)


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_an_output_that_is_kept_keeps_nothing_else(small_onnx: Path, provider: str) -> None:
    output = Model(small_onnx, RunOptions(provider)).run(np.zeros((1, 3, 16, 16), np.float32))
    array = output if output.base is None else output.base
    assert isinstance(array, np.ndarray) and array.flags.owndata
