"""The shipped checkpoint and `drs-export demo`."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from drsformer.commands.demo import WEIGHTS, Demo, run_demo
from drsformer.errors import ImageError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"), None, seed=6)


def test_the_rain_is_mostly_gone(made):
    assert made.derained_psnr > made.rainy_psnr + 4


def test_every_file_is_there(made):
    names = ["demo.onnx", "demo.validation.json", "derained.png", "rainy.png", "side_by_side.png"]
    assert sorted(p.name for p in made.model.parent.iterdir()) == names


def test_the_pictures_are_the_photos_size(made):
    assert cv2.imread(str(made.derained)).shape == (512, 512, 3)
    assert cv2.imread(str(made.side_by_side)).shape[1] > 1024


def test_the_command_says_the_result_first(drs, tmp_path, monkeypatch):
    names = ("demo.onnx", "rainy.png", "derained.png", "side_by_side.png")
    made = Demo(*(tmp_path / name for name in names), 16.215, 25.406)
    monkeypatch.setattr("drsformer.commands.demo.run_demo", lambda *_: made)
    code, out, _ = drs("demo", "-o", tmp_path, "--json", tmp_path / "demo.json")
    first, *files = out.splitlines()
    assert code == 0
    assert first == f"{made.derained}: 25.41 dB, +9.19 dB Y-PSNR over the rainy photo"
    assert [line.split(": ")[0] for line in files] == [
        str(path) for path in (made.rainy, made.side_by_side, made.model)
    ]
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures["gain_db"] == pytest.approx(9.191)


def test_a_photo_of_ones_own_is_taken(tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((40, 56, 3), 90, np.uint8))
    made = run_demo(tmp_path / "out", photo, seed=0)
    assert cv2.imread(str(made.derained)).shape == (40, 56, 3)


def test_a_file_that_is_no_photo_is_refused(tmp_path):
    (tmp_path / "photo.png").write_text("no")
    with pytest.raises(ImageError):
        run_demo(tmp_path / "out", tmp_path / "photo.png", seed=0)
    assert not (tmp_path / "out").exists()


def test_the_shipped_checkpoint_is_small_and_its_origin_is_told():
    provenance = json.loads(Path(WEIGHTS).with_suffix(".json").read_text())
    assert WEIGHTS.stat().st_size <= 5_000_000
    assert provenance["parameters"] == 1_129_306
    assert {"data", "seed", "steps", "validation"} <= provenance.keys()
