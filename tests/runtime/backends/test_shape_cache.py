"""Sessions for one input shape each: few, no larger together than promised, and always right."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from drsformer.errors import ModelError
from drsformer.runtime import Derainer, RunOptions
from drsformer.runtime.backends.onnxruntime_backend import OnnxRuntimeBackend
from drsformer.runtime.backends.onnxruntime_providers import PROVIDERS
from drsformer.runtime.backends.shape_cache import PIXELS_KEPT, SHAPES_KEPT, ShapeCache

from ...samples import noise, write_model


@pytest.fixture
def tiny_onnx(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny.onnx")


def test_the_shape_used_longest_ago_makes_room() -> None:
    made: list[tuple[int, ...]] = []
    kept = ShapeCache(made.append)
    a, b, c = ((1, 3, 8, size) for size in (8, 16, 24))
    for shape in (a, b, a, c, a, b):
        kept.get(shape)
        assert len(kept) <= SHAPES_KEPT
    assert made == [a, b, c, b]


def test_nothing_is_kept_beside_a_large_shape() -> None:
    kept = ShapeCache(lambda shape: shape)
    large = (1, 3, 8, PIXELS_KEPT // 8)
    kept.get((1, 3, 8, 8))
    kept.get(large)
    assert len(kept) == 1
    kept.get((1, 3, 8, 8))
    assert len(kept) == 1
    kept.get((1, 3, 8, 16))
    assert len(kept) == 2


def test_a_session_knows_its_sizes(tiny_onnx: Path) -> None:
    backend = OnnxRuntimeBackend(tiny_onnx, PROVIDERS["cpu"], RunOptions(threads=1))
    assert backend.inputs[0].shape == (None, 3, None, None)
    session = backend._sessions.get((2, 3, 16, 24))
    assert session.get_inputs()[0].shape == [2, 3, 16, 24]


def test_threads_with_more_shapes_than_are_kept_get_their_own_results(small_onnx: Path) -> None:
    images = [noise(8 * n, 16) for n in range(1, 6)] * 3
    with Derainer(small_onnx, threads=1) as derainer:
        expected = [derainer.derain(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(derainer.derain, images))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("change", ["other", "gone"])
def test_a_file_that_changed_is_not_mixed_with_the_one_that_was_opened(
    tiny_onnx: Path, change: str
) -> None:
    with Derainer(tiny_onnx, threads=1) as derainer:
        derainer.derain(noise(8, 8))
        tiny_onnx.unlink()
        if change == "other":
            write_model(tiny_onnx, scale=2.0)
        with pytest.raises(ModelError, match=r"tiny.onnx has changed since it was opened; open it"):
            derainer.derain(noise(16, 8))
        derainer.derain(noise(8, 8))  # that session has what it needs


def test_a_session_is_told_its_sizes_unless_they_are_large(tiny_onnx: Path) -> None:
    backend = OnnxRuntimeBackend(tiny_onnx, PROVIDERS["cpu"], RunOptions())
    small, large = ((1, 3, side, side) for side in (1024, 1032))
    assert tuple(backend._session_of(small).get_inputs()[0].shape) == small
    assert not set(large[2:]) & set(backend._session_of(large).get_inputs()[0].shape)
