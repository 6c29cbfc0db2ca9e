"""Engines on a GPU: built, run, compared, run again as a CUDA graph, from threads, 500 times.

Nothing here is imitated: without a GPU all of it is skipped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from drsformer.calibration.evaluate.engine_validation import validate_engine
from drsformer.calibration.mixed_precision import fp16_from_fp32
from drsformer.calibration.precision_rules import kept_parts
from drsformer.contract import CONTRACT
from drsformer.engine.gpu import cudart, gpu_here
from drsformer.engine.libraries import LIBRARIES, module_of
from drsformer.engine.manifest import manifest_of
from drsformer.errors import DRSformerError, ProviderError, ShapeError
from drsformer.export.engine.engine_from_onnx import BuildRequest, engine_from_onnx
from drsformer.export.engine.settings import EngineSettings
from drsformer.export.engine.shapes import profiles_from_text
from drsformer.runtime import Derainer

from ...samples import noise

pytestmark = pytest.mark.gpu
RUNS = 500


@pytest.fixture(scope="module", params=["tensorrt", "tensorrt_rtx"])
def engine(
    request: pytest.FixtureRequest, tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A float16 engine for this GPU, of two profiles."""
    library = LIBRARIES[request.param]
    try:
        gpu_here()
        module_of(library)
    except ProviderError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("engine")
    source = folder / "tiny.onnx"
    onnx.save(fp16_from_fp32(onnx.load(tiny_onnx)), source)
    shapes = ["32x32:64x64:128x128", "256x256"]
    profiles = profiles_from_text(shapes, "1", CONTRACT, (None,) * 4)
    path = folder / "tiny.engine"
    try:
        settings = EngineSettings(library, profiles)
        kept = kept_parts(onnx.load(source))
        engine_from_onnx(BuildRequest(source, path, settings, kept))
        Derainer(path).close()
    except DRSformerError as error:  # TensorRT-RTX does not list every GPU
        pytest.skip(f"this GPU is refused: {error}")
    return path


def test_it_gives_what_onnx_runtime_gives(engine: Path) -> None:
    onnx_file = engine.with_name(manifest_of(engine).onnx_file)
    with Derainer(engine) as gpu, Derainer(onnx_file) as cpu:
        for size in ((64, 64), (37, 53), (250, 256), (64, 64)):
            image = noise(*size)
            apart = np.abs(gpu.derain(image).astype(int) - cpu.derain(image)).max()
            assert apart <= 2  # top-k entries that fall the other way


def test_a_recorded_graph_gives_the_same(engine: Path) -> None:
    image = noise(64, 64)
    with Derainer(engine) as derainer:
        first, *more = [derainer.derain(image) for _ in range(4)]
    assert all(np.array_equal(first, again) for again in more)


def test_validation_is_complete_and_written_down(engine: Path) -> None:
    report = validate_engine(engine)
    assert report.complete and report.passed
    assert any(one.tensor == "top-k selections" for one in report.comparisons)
    validation = manifest_of(engine).validation
    assert validation is not None and validation["passed"]


def test_a_size_outside_the_profiles_is_refused(engine: Path) -> None:
    with Derainer(engine) as derainer, pytest.raises(ShapeError, match="was built for"):
        derainer.derain(noise(200, 200))


def test_threads_and_tiles_share_the_streams(engine: Path) -> None:
    images = [noise(64, 64 - 8 * i) for i in range(4)]
    with Derainer(engine) as derainer:
        expected = [derainer.derain(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(derainer.derain, images * 8))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected * 8, strict=True))
        assert len(list(derainer.derain_stream(iter(images)))) == 4
    with Derainer(engine, tile=64, overlap=8) as tiled:
        assert tiled.derain(noise(150, 170)).shape == (150, 170, 3)


def test_nothing_is_left_behind_after_many_runs(engine: Path) -> None:
    runtime: Any = cudart()

    def free_bytes() -> int:
        error, free, _ = runtime.cudaMemGetInfo()
        assert int(error) == 0
        return int(free)

    image = noise(64, 64)
    with Derainer(engine) as derainer:
        for _ in range(10):
            derainer.derain(image)
        before = free_bytes()
        for _ in range(RUNS):
            derainer.derain(image)
        assert free_bytes() >= before - 2**20
    closed = free_bytes()
    for _ in range(5):
        with Derainer(engine) as derainer:
            derainer.derain(image)
    assert free_bytes() >= closed - 8 * 2**20
