"""The Derainer: images in, images out, and every way a model file can be wrong."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from drsformer.contract import CONTRACT
from drsformer.errors import ModelError, ShapeError
from drsformer.runtime import Derainer
from drsformer.runtime.derainer import MAX_BATCH, _batches
from drsformer.runtime.tiling import Blend

from ..samples import noise, write_identity, write_model


@pytest.fixture(scope="module")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


def blank(height: int, width: int) -> NDArray[np.uint8]:
    return np.zeros((height, width, 3), np.uint8)


# images


def test_it_reports_what_it_opened(tiny_onnx: Path) -> None:
    with Derainer(str(tiny_onnx)) as derainer:
        assert (derainer.contract, derainer.provider) == (CONTRACT, "cpu")
        assert (derainer.path, derainer.tiling) == (tiny_onnx, None)


def test_the_given_image_stays_as_it_was(tiny_onnx: Path) -> None:
    image = noise(20, 30)
    before = image.copy()
    with Derainer(tiny_onnx) as derainer:
        assert derainer.derain(image) is not image
    np.testing.assert_array_equal(image, before)


def test_a_view_that_reverses_channels_is_an_image(tiny_onnx: Path) -> None:
    reversed_view = noise(20, 30)[:, :, ::-1]
    with Derainer(tiny_onnx) as derainer:
        np.testing.assert_array_equal(
            derainer.derain(reversed_view), derainer.derain(reversed_view.copy())
        )


def test_16_bit_images_keep_their_depth(small_onnx: Path) -> None:
    # 257 v / 65535 and v / 255 are the same float32, so the network sees the same input; its
    # output is rounded to 65536 instead of 256 levels, half a level or 128.5 apart at most.
    image = noise(21, 35)
    with Derainer(small_onnx, threads=1) as derainer:
        coarse = derainer.derain(image)
        fine = derainer.derain(image.astype(np.uint16) * np.uint16(257))
    assert fine.dtype == np.uint16
    assert np.abs(fine.astype(int) - 257 * coarse.astype(int)).max() <= 129
    assert np.any(fine % 257)


def test_a_whole_image_is_one_tile_of_progress(tiny_onnx: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Derainer(tiny_onnx) as derainer:
        derainer.derain(noise(20, 30), lambda *call: seen.append(call))
    assert seen == [(1, 1)]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
@pytest.mark.parametrize("tile", [None, 64])
def test_what_is_no_image_is_refused(
    tiny_onnx: Path, image: NDArray[np.generic], tile: int | None
) -> None:
    with (
        Derainer(tiny_onnx, tile=tile) as derainer,
        pytest.raises(ShapeError, match="an image has"),
    ):
        derainer.derain(image)


def test_several_threads_may_share_it(tiny_onnx: Path) -> None:
    images = [noise(20 + i, 30) for i in range(8)]
    with Derainer(tiny_onnx, threads=1) as derainer:
        expected = [derainer.derain(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(derainer.derain, images))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# batches


def test_a_batch_gives_each_image_its_own_result_in_order(small_onnx: Path) -> None:
    sizes = [(16, 24), (9, 30), (15, 23), (16, 24), (30, 9), (1, 1)]
    images = [noise(h, w, np.uint16 if h == 15 else np.uint8) for h, w in sizes]
    with Derainer(small_onnx, threads=1) as derainer:
        alone = [derainer.derain(image) for image in images]
        together = derainer.derain_batch(images)
    for found, expected in zip(together, alone, strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        # sums may run in another order within a batch: 1e-5 of the range, in levels
        tolerance = 1 if found.dtype == np.uint8 else 2
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= tolerance


def test_images_of_one_padded_size_share_calls_within_bounds() -> None:
    images = [blank(30 + i % 3, 64) for i in range(10)] + [blank(8, 8)]
    assert list(_batches(images, MAX_BATCH)) == [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9], [10]]


def test_large_images_go_alone() -> None:
    large = blank(1000, 1000)
    assert list(_batches([large, large], MAX_BATCH)) == [[0], [1]]


def test_an_empty_batch_is_empty(tiny_onnx: Path) -> None:
    with Derainer(tiny_onnx) as derainer:
        assert derainer.derain_batch([]) == []


@pytest.mark.parametrize("tile", [None, 64])
def test_a_bad_image_in_a_batch_is_named_before_anything_runs(
    tiny_onnx: Path, tile: int | None
) -> None:
    images = [blank(8, 8), np.zeros((8, 8), np.uint8)]
    with (
        Derainer(tiny_onnx, tile=tile) as derainer,
        pytest.raises(ShapeError, match="image 2 of 2"),
    ):
        derainer.derain_batch(images)


def test_batches_are_tiled_like_single_images(tiny_onnx: Path) -> None:
    images = [noise(100, 90), noise(20, 20)]
    with Derainer(tiny_onnx, tile=64, threads=1) as derainer:
        for found, image in zip(derainer.derain_batch(images), images, strict=True):
            np.testing.assert_array_equal(found, derainer.derain(image))


# models exported for one size


def test_a_fixed_size_takes_that_padded_size(tiny_onnx: Path, tmp_path: Path) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", ("batch", 3, 40, 56))
    image = noise(37, 53)
    with Derainer(fixed, threads=1) as derainer, Derainer(tiny_onnx, threads=1) as free:
        np.testing.assert_array_equal(derainer.derain(image), free.derain(image))


SIZES = [(40, 40), (1, 1), (64, 64), (60, 200), (200, 30), (481, 321), (64, 300)]


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 3, 40, 72), ("batch", 3, "height", 56)])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("blend", ["uniform", "feather"])
def test_a_model_of_one_size_takes_any_image(
    shape: tuple[int | str, ...], size: tuple[int, int], blend: Blend, tmp_path: Path
) -> None:
    """The network changes nothing here, so what is padded, cut and joined must be the image."""
    fixed = write_identity(tmp_path / "fixed.onnx", shape)
    image = noise(*size)
    with Derainer(fixed, threads=1, blend=blend) as derainer:
        np.testing.assert_array_equal(derainer.derain(image), image)
        (together,) = derainer.derain_batch([image])
        np.testing.assert_array_equal(together, image)


def test_a_small_image_is_padded_by_reflection_and_cropped(tiny_onnx: Path, tmp_path: Path) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", (1, 3, 64, 64))
    image = noise(37, 30)
    padded = np.pad(image, ((0, 27), (0, 34), (0, 0)), mode="reflect")
    with Derainer(fixed, threads=1) as derainer:
        np.testing.assert_array_equal(derainer.derain(image), derainer.derain(padded)[:37, :30])


def test_a_size_that_the_model_is_not_made_for_is_said_once(tmp_path: Path, caplog: Any) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", (1, 3, 64, 64))
    with Derainer(fixed, threads=1) as derainer:
        derainer.derain(noise(64, 64))
        assert caplog.messages == []
        for size in ((30, 30), (100, 100), (20, 200)):
            derainer.derain(noise(*size))
    (said,) = caplog.messages
    assert f"{fixed} takes 64x64: smaller images are padded" in said


def test_tiles_of_another_size_than_the_models_are_refused(tmp_path: Path) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", (1, 3, 64, 64))
    with (
        Derainer(fixed, tile=40) as derainer,
        pytest.raises(ShapeError, match="is 40x40 .* was exported for 64x64 only; use --tile 64"),
    ):
        derainer.derain(noise(100, 200))


def test_a_model_for_square_tiles_runs_with_tiling(tiny_onnx: Path, tmp_path: Path) -> None:
    fixed = write_model(tmp_path / "tile.onnx", (1, 3, 64, 64))
    image = noise(100, 200)
    with (
        Derainer(fixed, tile=64, threads=1) as derainer,
        Derainer(tiny_onnx, tile=64, threads=1) as free,
    ):
        np.testing.assert_array_equal(derainer.derain(image), free.derain(image))


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_fixed_batch_is_filled_up(tiny_onnx: Path, tmp_path: Path, count: int) -> None:
    fixed = write_model(tmp_path / "batch.onnx", (3, 3, "height", "width"))
    images = [noise(24, 17 + i) for i in range(count)]
    with Derainer(fixed, threads=1) as derainer, Derainer(tiny_onnx, threads=1) as free:
        for found, image in zip(derainer.derain_batch(images), images, strict=True):
            # a batch may sum in another order
            assert np.abs(found.astype(int) - free.derain(image).astype(int)).max() <= 1


# wrong files


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        Derainer(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    assert_refused(
        tmp_path / "no.onnx", "No such file or directory; make one with `drs-export onnx`"
    )


def test_a_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path, "not a regular file")


def test_an_unreadable_file(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # permission bits do not stop root
    assert_refused(tiny_onnx, "cannot read .*: Permission denied")


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.onnx"
    path.touch()
    assert_refused(path, "is empty")


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert_refused(path, "is not a usable ONNX model: Protobuf parsing failed; make one with")


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.999])
def test_a_truncated_file(small_onnx: Path, tmp_path: Path, kept: float) -> None:
    content = small_onnx.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * kept)])
    assert_refused(path, "is not a usable ONNX model")


def test_a_model_without_contract(tmp_path: Path) -> None:
    path = write_model(tmp_path / "other.onnx", contract=None)
    assert_refused(path, "without our 'contract' metadata, .*; make one with `drs-export onnx`")


def test_a_contract_that_is_no_json(tmp_path: Path) -> None:
    assert_refused(write_model(tmp_path / "m.onnx", contract="{"), "its contract cannot be read")


def test_a_contract_with_other_rules(tmp_path: Path) -> None:
    contract = json.dumps({**json.loads(CONTRACT.to_json()), "color": "BGR"})
    assert_refused(write_model(tmp_path / "m.onnx", contract=contract), "says color = 'BGR'")


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        (("n", 3, "h", "w"), {"names": ("rain", "output")}, "has rain: .* says input: "),
        (("n", 3, "h", "w"), {"names": ("input", "clean")}, "-> clean: .* says input: "),
        (("n", 3, "h", "w"), {"dtype": TensorProto.FLOAT16}, "input: float16 ->"),
        (("n", 1, "h", "w"), {}, r"of shapes \?x1x\?x\?, "),
        ((3, "h", "w"), {}, r"of shapes 3x\?x\?, "),
    ],
)
def test_a_graph_that_breaks_its_contract(
    tmp_path: Path, shape: tuple[int | str, ...], settings: dict, message: str
) -> None:
    assert_refused(write_model(tmp_path / "m.onnx", shape, **settings), message)


def test_a_failure_while_running_is_one_line_with_the_cause(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", only_8x8=True)
    with (
        Derainer(path) as derainer,
        pytest.raises(ModelError, match=r"failed on an input of shape \(1, 3, 16, 16\)") as caught,
    ):
        derainer.derain(blank(16, 16))
    assert "\n" not in str(caught.value) and caught.value.__cause__ is not None


# closing


def test_use_after_closing_is_refused(tiny_onnx: Path) -> None:
    with Derainer(tiny_onnx) as derainer:
        pass
    derainer.close()
    for use in (lambda: derainer.derain(blank(8, 8)), lambda: derainer.derain_batch([])):
        with pytest.raises(ModelError, match="was closed; open a new one"):
            use()
    with pytest.raises(ModelError, match="was closed"):
        derainer.__enter__()


def test_settings_are_checked_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="tile is 12"):
        Derainer(tmp_path / "no.onnx", tile=12)


def test_an_output_of_another_size_is_refused(tmp_path: Path) -> None:
    halving = write_model(tmp_path / "half.onnx", stride=2)
    with Derainer(halving) as derainer, pytest.raises(ModelError, match="contract"):
        derainer.derain(noise(16, 16))


class LikePillow:
    """An object that numpy could make an array of, as a PIL image is."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("image", [None, [[[0, 0, 0]]], LikePillow(), "rainy.png"])
def test_what_is_no_array_is_refused_by_name(tiny_onnx, image):
    with Derainer(tiny_onnx) as derainer, pytest.raises(ShapeError) as caught:
        derainer.derain(image)
    assert f"is a {type(image).__name__}; expected a numpy array" in str(caught.value)
