"""A photo of 12 megapixels, on the full network, in 14 GB: it would take 45 GB whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from drsformer.calibration.photos import bundled_photo
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.runtime.media.picture_writer import write_image
from drsformer.runtime.media.pictures import Picture, read_image

LIMIT, MOST = 14_000_000_000, 12_000_000_000

# "told" stands for a control group where none can be made: the process is told what one would
# leave it, and nothing kills it
SCRIPT = """
import sys
from drsformer.commands.main import main
from drsformer.runtime import free_memory, whole_or_tiles

told, real = int(sys.argv.pop(1)), free_memory.free_memory
if told:
    left = lambda: told - free_memory.resident_bytes()[0]
    whole_or_tiles.free_memory = lambda: min(real(), left())
try:
    main()
finally:
    sys.stdout.write(f"peak {free_memory.resident_bytes()[1]}\\n")
"""


def in_a_group() -> list[str]:
    """Return the start of a command that runs in a group of LIMIT bytes; empty where none can."""
    if shutil.which("systemd-run") is None:
        return []
    start = ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={LIMIT}", "-p"]
    start = [*start, "MemorySwapMax=0"]
    for choice in ([], ["--user"]):
        command = [start[0], *choice, *start[1:]]
        if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is predicted on Linux only")
def test_a_large_photo_ends_well_by_itself(
    goldens: dict[str, Any], tmp_path: Path, record_property: Any
) -> None:
    if psutil.virtual_memory().available < LIMIT:
        pytest.skip(f"needs {LIMIT / 1e9:.0f} GB of free memory")
    checkpoint, photo, out = (tmp_path / name for name in ("full.pth", "photo.jpg", "out"))
    torch.save({"params": goldens["paper_mefc"].state}, checkpoint)
    model = onnx_from_checkpoint(checkpoint, tmp_path / "f.onnx", ExportSettings(runtime="ort"))
    coffee = bundled_photo("coffee")
    repeats = (-(-3000 // coffee.shape[0]), -(-4000 // coffee.shape[1]), 1)
    write_image(Picture(np.tile(coffee, repeats)[:3000, :4000]), photo)
    group = in_a_group()
    command = [sys.executable, "-c", SCRIPT, str(0 if group else LIMIT), "run", str(model.path)]
    done = subprocess.run(
        [*group, *command, str(photo), "-o", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "images are cut into tiles of" in done.stderr
    assert read_image(out / photo.name).rgb.shape == (3000, 4000, 3)
    peak = int(done.stdout.split("peak ")[1])
    record_property("peak", f"{peak / 1e9:.1f} GB, {'in a group' if group else 'told a limit'}")
    assert peak < MOST
