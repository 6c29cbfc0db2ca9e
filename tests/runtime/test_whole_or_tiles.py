"""Images that do not fit into the free memory are cut into tiles, and this is said."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drsformer.contract import padded_size
from drsformer.errors import ModelError
from drsformer.runtime import Derainer, RunOptions, memory_need, whole_or_tiles
from drsformer.runtime.memory_need import Need, measured_need, need_here
from drsformer.runtime.model import Model

from ..samples import noise, write_model

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is predicted on Linux only")
NEED = Need(1_000_000, 1000.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with the number of pixels, in one run, that fit; returns what measures."""

    def enough_for(pixels: int, image: np.ndarray) -> list[bool]:
        measured: list[bool] = []

        def measure(path: Path, options: RunOptions, *, as_large: bool) -> Need:
            measured.append(as_large)
            return NEED

        held = whole_or_tiles.COPIES * image.nbytes
        free = (NEED.bytes_of(pixels) + held) / whole_or_tiles.SHARE
        monkeypatch.setattr(whole_or_tiles, "free_memory", lambda: round(free) + 1)
        monkeypatch.setattr(whole_or_tiles, "measured_need", measure)
        return measured

    return enough_for


def test_what_fits_is_derained_whole_and_nothing_is_said(
    model: Path, memory: Any, caplog: Any
) -> None:
    image = noise(256, 320)
    memory(256 * 320, image)
    with Derainer(model) as derainer, Derainer(model, tile="whole") as whole:
        np.testing.assert_array_equal(derainer.derain(image), whole.derain(image))
    assert not caplog.records


@pytest.mark.parametrize(
    ("pixels", "tile", "overlap"), [(256 * 256, 256, 32), (130 * 130, 128, 32), (128**2, 128, 96)]
)
def test_what_does_not_fit_is_cut_into_the_largest_tiles_that_do(
    model: Path, memory: Any, caplog: Any, pixels: int, tile: int, overlap: int
) -> None:
    image = noise(250, 320)
    memory(pixels, image)
    kept = min(overlap, tile // 2)
    with (
        Derainer(model, overlap=overlap) as derainer,
        Derainer(model, tile=tile, overlap=kept) as tiled,
    ):
        found = derainer.derain(image)
        derainer.derain(image)
        derainer.derain(noise(320, 250))
        np.testing.assert_array_equal(found, tiled.derain(image))
    (record,) = caplog.records  # said once
    for words in ("320 x 250 pixels take about", "that are free", f"tiles of {tile},", "--no-tile"):
        assert words in record.message


def test_tiles_that_feather_need_not_be_square(model: Path, memory: Any) -> None:
    image = noise(64, 640)
    memory(64 * 400, image)
    with (
        Derainer(model, blend="feather") as derainer,
        Derainer(model, tile=384, blend="feather") as tiled,
    ):
        np.testing.assert_array_equal(derainer.derain(image), tiled.derain(image))


def test_a_thin_image_is_cut_with_less_overlap(model: Path, memory: Any) -> None:
    image = noise(24, 640)
    memory(24 * 24, image)
    with Derainer(model) as derainer, Derainer(model, tile=24, overlap=12) as tiled:
        np.testing.assert_array_equal(derainer.derain(image), tiled.derain(image))


def test_where_nothing_fits_the_smallest_tiles_are_tried_and_it_is_said(
    model: Path, memory: Any, caplog: Any
) -> None:
    image = noise(256, 320)
    memory(8 * 8, image)
    with Derainer(model) as derainer, Derainer(model, tile=128) as tiled:
        np.testing.assert_array_equal(derainer.derain(image), tiled.derain(image))
    assert "tiles of 128, which may not fit either" in caplog.text


@pytest.mark.parametrize("tile", ["whole", 64])
def test_what_was_asked_for_is_obeyed(model: Path, memory: Any, caplog: Any, tile: Any) -> None:
    image = noise(256, 320)
    measured = memory(8 * 8, image)
    seen: list[tuple[int, int]] = []
    with Derainer(model, tile=tile) as derainer:
        derainer.derain(image, lambda *call: seen.append(call))
    assert (seen == [(1, 1)]) == (tile == "whole")
    assert not measured and not caplog.records


def test_batches_and_streams_are_cut_too(model: Path, memory: Any) -> None:
    image = noise(256, 320)
    memory(130 * 130, image)
    with Derainer(model) as derainer, Derainer(model, tile=128) as tiled:
        expected = tiled.derain(image)
        for found in (*derainer.derain_batch([image] * 2), *derainer.derain_stream([image] * 2)):
            np.testing.assert_array_equal(found, expected)


def test_it_is_measured_once_for_each_way_to_run(model: Path, memory: Any) -> None:
    image = np.zeros((1100, 1000, 3), np.uint8)  # more than ONNX Runtime is told the sizes of
    measured = memory(512 * 512, image)
    with Derainer(model) as derainer:
        for _ in range(2):
            derainer.derain(image)
            derainer.derain(image[:900])
    assert measured == [True, False]


def test_an_image_that_surely_fits_is_not_measured(
    model: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = memory(8, noise(64, 64))
    monkeypatch.setattr(whole_or_tiles, "free_memory", lambda: 2**30)
    with Derainer(model) as derainer:
        derainer.derain(noise(64, 64))
    assert not measured


def test_where_free_memory_is_not_known_images_are_whole(
    model: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    measured = memory(8, noise(64, 64))
    monkeypatch.setattr(whole_or_tiles, "free_memory", lambda: None)
    with Derainer(model) as derainer:
        derainer.derain(noise(256, 320))
    assert not measured and not caplog.records


def test_what_the_last_image_keeps_is_given_back_before_an_image_is_cut(
    model: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    image, released = noise(256, 320), []
    memory(256 * 320, image)
    enough = whole_or_tiles.free_memory()
    monkeypatch.setattr(whole_or_tiles, "free_memory", lambda: enough if released else enough // 2)
    monkeypatch.setattr(Model, "release", lambda model: released.append(1))
    with Derainer(model) as derainer:
        derainer.derain(image)
    assert released and not caplog.records


def test_a_failed_measurement_is_said_once_and_images_are_whole(
    model: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    memory(8 * 8, noise(64, 64))
    monkeypatch.setattr(whole_or_tiles, "measured_need", measured_need)
    monkeypatch.setattr(memory_need.sys, "executable", "/opt/a_program")
    with Derainer(model) as derainer:
        for side in (256, 264):
            derainer.derain(noise(side, side))
    (record,) = caplog.records
    assert "is not known" in record.message and "not Python" in record.message


def test_a_derainer_that_decides_can_be_pickled(model: Path, memory: Any) -> None:
    image = noise(256, 320)
    memory(130 * 130, image)
    with Derainer(model) as derainer:
        expected = derainer.derain(image)
        with pickle.loads(pickle.dumps(derainer)) as copy:
            np.testing.assert_array_equal(copy.derain(image), expected)


def test_a_model_of_one_size_decides_itself(tmp_path: Path, memory: Any) -> None:
    path = write_model(tmp_path / "fixed.onnx", (1, 3, 64, 64))
    measured = memory(8, noise(64, 64))
    with Derainer(path) as derainer:
        derainer.derain(noise(100, 100))
    assert not measured


# the measurement


@LINUX
def test_the_file_that_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the process that measures it failed"):
        measured_need(tmp_path / "missing.onnx", RunOptions("cpu"), as_large=False)


@LINUX
@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_the_prediction_is_within_a_fifth(small_onnx: Path, provider: str) -> None:
    options = RunOptions(provider, 1)
    need = measured_need(small_onnx, options, as_large=False)
    code = (
        "import sys; from pathlib import Path; from drsformer.runtime import RunOptions\n"
        "from drsformer.runtime.memory_need import Model, need_here\n"
        "model = Model(Path(sys.argv[1]), RunOptions(sys.argv[2], 1))\n"
        "found = need_here(model, 384, 320, as_large=False)\n"
        "sys.stdout.write(str(found.bytes_of(384 * 320)))"
    )
    done = memory_need.subprocess.run(
        [sys.executable, "-c", code, str(small_onnx), provider], capture_output=True, text=True
    )
    assert need.bytes_of(384 * 320) == pytest.approx(int(done.stdout), rel=0.2), done.stderr


@LINUX
def test_a_run_takes_less_than_the_rough_figure(small_onnx: Path) -> None:
    opened = Model(small_onnx, RunOptions("cpu", 1))
    need = need_here(opened, 64, 96, as_large=False)
    assert need.bytes_of(64 * 96) < memory_need.rough_bytes_of(opened, 64 * 96)
    assert padded_size(64, 96) == (64, 96)


def test_a_file_beside_the_users_script_is_no_module_of_the_measurement(
    small_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "re.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    assert measured_need(small_onnx, RunOptions("cpu", 1), as_large=False).per_pixel > 0
