"""A photo of 12 megapixels, on the full network, in 14 GB: it would take 45 GB whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from drsformer.calibration.photos import bundled_photo
from drsformer.commands.models import DEMO_MODEL
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


GROUPS = (  # of memory, version 1 and version 2: folder, file of the limit
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@contextmanager
def group_of(limit: int) -> Iterator[list[str]]:
    """Give the start of a command that runs in a control group; empty where none can be made."""
    group = made_group(limit)
    if group is None:
        yield []
        return
    try:
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
    finally:
        group.rmdir()


def made_group(limit: int) -> Path | None:
    """Make a control group of so many bytes; None where that is not allowed."""
    for parent, name in GROUPS:
        group = parent / f"drs-export-test-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            try:
                (group / name).write_text(str(limit))
                return group
            except OSError:
                group.rmdir()
    return None


def peak_of(limit: int, model: Path, photo: Path, out: Path) -> tuple[int, str]:
    """Derain a photo in little memory; return the peak in bytes, and how it was limited."""
    with group_of(limit) as group:
        command = [sys.executable, "-c", SCRIPT, str(0 if group else limit), "run", str(model)]
        done = subprocess.run(
            [*group, *command, str(photo), "-o", str(out)], capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert "images are cut into tiles of" in done.stderr
    assert read_image(out / photo.name).rgb.shape == read_image(photo).rgb.shape
    return int(done.stdout.split("peak ")[1]), "in a group" if group else "told a limit"


def photo_of(path: Path, height: int, width: int) -> Path:
    """Write a photo of this size."""
    coffee = bundled_photo("coffee")
    repeats = (-(-height // coffee.shape[0]), -(-width // coffee.shape[1]), 1)
    write_image(Picture(np.tile(coffee, repeats)[:height, :width]), path)
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is predicted on Linux only")
def test_a_photo_ends_well_in_a_small_group(tmp_path: Path, record_property: Any) -> None:
    """3 megapixels with the demo checkpoint take 5 GB whole."""
    photo = photo_of(tmp_path / "photo.jpg", 1500, 2000)
    peak, how = peak_of(2_000_000_000, DEMO_MODEL, photo, tmp_path / "out")
    record_property("peak", f"{peak / 1e9:.1f} GB, {how}")
    assert peak < 2_000_000_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is predicted on Linux only")
def test_a_large_photo_ends_well_by_itself(
    goldens: dict[str, Any], tmp_path: Path, record_property: Any
) -> None:
    if psutil.virtual_memory().available < LIMIT:
        pytest.skip(f"needs {LIMIT / 1e9:.0f} GB of free memory")
    checkpoint = tmp_path / "full.pth"
    torch.save({"params": goldens["paper_mefc"].state}, checkpoint)
    model = onnx_from_checkpoint(checkpoint, tmp_path / "f.onnx", ExportSettings(runtime="ort"))
    photo = photo_of(tmp_path / "photo.jpg", 3000, 4000)
    peak, how = peak_of(LIMIT, model.path, photo, tmp_path / "out")
    record_property("peak", f"{peak / 1e9:.1f} GB, {how}")
    assert peak < MOST
