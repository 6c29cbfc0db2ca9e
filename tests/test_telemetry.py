"""The libraries that we import tell their makers nothing, unless the user wants it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# an environment in which the libraries do not think that they are being tested
CLEAN = {k: v for k, v in os.environ.items() if k not in ("CI", "TF_BUILD", "JENKINS_URL")}
RUN = """
import sys
import numpy as np
from drsformer.runtime import Derainer
with Derainer(sys.argv[1], provider=sys.argv[2]) as derainer:
    derainer.derain(np.zeros((8, 8, 3), np.uint8))
print(sorted({"openvino_telemetry"} & {k for k, v in sys.modules.items() if v is not None}))
"""


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_no_device_id_is_written_and_no_telemetry_is_loaded(
    tiny_onnx: Path, tmp_path: Path, provider: str
) -> None:
    environment = CLEAN | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [sys.executable, "-c", RUN, str(tiny_onnx), provider]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_the_user_set_stays() -> None:
    code = "import drsformer, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = CLEAN | {"ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.stdout.strip() == b"0"
