"""Every call that an engine makes of CUDA and TensorRT fails once: one error, nothing leaks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.calibration.evaluate import engine_on_gpu
from drsformer.calibration.evaluate.engine_on_gpu import _run_engine, compared_on_gpu
from drsformer.context import QUIET
from drsformer.contract import CONTRACT
from drsformer.engine import cuda, gpu
from drsformer.engine.execution import Contexts
from drsformer.engine.gpu import gpu_here, platform_here
from drsformer.engine.libraries import LIBRARIES
from drsformer.engine.loaded_engine import LoadedEngine
from drsformer.engine.manifest import (
    BuiltOn,
    Manifest,
    Profile,
    RunsOn,
    manifest_of,
    manifest_path,
)
from drsformer.errors import DRSformerError, EngineError, ProviderError
from drsformer.files import sha256_of
from drsformer.runtime import Derainer
from drsformer.runtime.backends import engine_backend

from ...gpu_double import Gpu, Status, cuda_table, library
from ...samples import noise

VERSION = "10.7.0"
Install = Callable[[Gpu], None]


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def flavor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(tmp_path: Path, flavor: str) -> Path:
    """An engine file that the double takes, with its manifest."""
    path = tmp_path / "x.engine"
    path.write_bytes(b"engine")
    path.with_name("x.engine.cache").write_bytes(b"kernels")  # what TensorRT-RTX compiled before
    manifest = Manifest(
        engine_sha256=sha256_of(path), engine_bytes=6, flavor=flavor, version=VERSION,
        precision="fp32", contract=CONTRACT,
        profiles=(Profile((1, 3, 8, 8), (1, 3, 64, 64), (1, 3, 512, 512)),),
        runs_on=RunsOn(("8.9",), platform=platform_here()), built_on=BuiltOn(), options={},
        layers={}, onnx_file="x.onnx", onnx_sha256="1" * 64, checkpoint_sha256="", command="",
        drs_export_version="0",
    )  # fmt: skip
    manifest_path(path).write_text(replace(manifest).to_json())
    return path


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, flavor: str) -> Install:
    """Return what puts a double in the place of CUDA and of the library."""

    def put(double: Gpu) -> None:
        table, module = cuda_table(double), library(double, VERSION, rtx=flavor == "tensorrt_rtx")
        for place in (cuda, gpu):
            monkeypatch.setattr(place, "cudart", lambda: table)
        monkeypatch.setattr(engine_backend, "module_of", lambda wanted: wrapped)
        wrapped = type(
            "Module", (), dict(vars(module)) | {"__module__": module.__name__}
        )  # hashable, as a module is

    return put


def use(engine: Path) -> None:
    """Open, run a shape twice and two more, the last of which evicts it, and close."""
    with Derainer(engine) as derainer:
        for size in ((16, 24), (16, 24), (16, 8), (8, 8)):
            image = noise(*size).astype(np.uint8)
            assert np.array_equal(derainer.derain(image), image)


def test_without_a_fault_the_output_is_right_and_nothing_leaks(
    engine: Path, install: Install
) -> None:
    double = Gpu()
    install(double)
    use(engine)
    assert double.leaks() == {} and len(double.calls) > 40


def test_every_call_fails_once(engine: Path, install: Install) -> None:
    double = Gpu()
    install(double)
    use(engine)
    falls_back = {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"}
    for number, name in enumerate(double.calls, 1):
        failing = Gpu(number)
        install(failing)
        recorded = name == "cudaGraphDestroy" or name in falls_back or _in_capture(double, number)
        try:
            use(engine)
            assert recorded or name in ("serialize", "deserialize"), (number, name)
        except DRSformerError as error:
            assert "\n" not in str(error)
        assert failing.leaks() == {}, (number, name)


def _in_capture(double: Gpu, number: int) -> bool:
    """Whether a call is part of what a graph records."""
    before = double.calls[: number - 1]
    return before.count("cudaStreamBeginCapture") > before.count("cudaStreamEndCapture")


@pytest.mark.parametrize("name", ["cudaMalloc", "cudaMallocHost"])
def test_out_of_memory_names_the_shape_and_what_to_do(
    engine: Path, install: Install, name: str
) -> None:
    double = Gpu()
    install(double)
    use(engine)
    failing = Gpu(double.calls.index(name) + 1, Status.cudaErrorMemoryAllocation)
    install(failing)
    with pytest.raises(EngineError, match=r"1x3x16x24 on GPU 0 \(Double\).*--tile"):
        use(engine)


def test_a_failing_free_frees_the_rest_and_wakes_who_waits(engine: Path, install: Install) -> None:
    double = Gpu()
    install(double)
    derainer = Derainer(engine)
    derainer.derain(np.zeros((8, 8, 3), np.uint8))
    double.fail_at = len(double.calls) + 2
    with pytest.raises(EngineError, match="cudaErrorUnknown"):
        derainer.close()
    assert double.leaks() == {}


def test_threads_share_an_engine_and_each_sets_the_device(engine: Path, install: Install) -> None:
    double = Gpu()
    install(double)
    images = [noise(16, 8 * (1 + i % 4)).astype(np.uint8) for i in range(40)]
    with Derainer(engine) as derainer, ThreadPoolExecutor(8) as pool:
        for image, result in zip(images, pool.map(derainer.derain, images), strict=True):
            assert np.array_equal(image, result)
    assert double.leaks() == {} and double.calls.count("cudaSetDevice") >= len(images)


@pytest.mark.parametrize("device", [None, 0, 1])
def test_the_device_is_the_one_asked_for_on_every_thread(
    engine: Path, install: Install, device: int | None
) -> None:
    double = Gpu()
    install(double)
    with Derainer(engine, device=device) as derainer, ThreadPoolExecutor(3) as pool:
        list(pool.map(derainer.derain, [noise(16, 8).astype(np.uint8)] * 9))
    assert double.devices == {device or 0} and double.calls.count("cudaSetDevice") == 9 + 2


def test_a_device_that_is_not_there_is_refused(engine: Path, install: Install) -> None:
    install(Gpu())
    with pytest.raises(ProviderError, match=r"no GPU 2: CUDA sees 2 here; .* from 0 to 1"):
        Derainer(engine, device=2)


def test_errors_name_the_device(engine: Path, install: Install) -> None:
    double = Gpu()
    install(double)
    with Derainer(engine, device=1) as derainer:
        double.fail_at = len(double.calls) + 3
        with pytest.raises(EngineError, match=r"x\.engine failed .* on GPU 1 \(Double\): "):
            derainer.derain(np.zeros((8, 8, 3), np.uint8))


def test_what_the_library_warns_of_is_passed_on(
    engine: Path, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    double = Gpu()
    double.says = "Using an engine plan file\nacross different models of devices"
    install(double)
    Derainer(engine).close()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{engine}: Using an engine plan file across different models of devices"
    )


def test_five_hundred_rounds_leave_nothing(engine: Path, install: Install) -> None:
    double = Gpu()
    install(double)
    image = np.zeros((8, 8, 3), np.uint8)
    for _ in range(500):
        with Derainer(engine) as derainer:
            derainer.derain(image)
    assert double.leaks() == {}


def test_every_call_of_a_validation_fails_once(
    install: Install, flavor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = {"input": np.random.default_rng(0).random((1, 3, 8, 16)).astype(np.float32)}

    def validate(double: Gpu) -> None:
        install(double)
        module = engine_backend.module_of(LIBRARIES[flavor])
        loaded = LoadedEngine(module, b"engine", "x.engine")
        with closing(Contexts(loaded, is_rtx=flavor == "tensorrt_rtx")) as contexts:
            del loaded
            found = _run_engine(contexts, feed)
            assert np.array_equal(found["output"], feed["input"])

    double = Gpu()
    validate(double)
    assert double.leaks() == {}
    for number, name in enumerate(double.calls, 1):
        failing = Gpu(number)
        if name == "serialize":
            validate(failing)
        else:
            with pytest.raises(EngineError):
                validate(failing)
        assert failing.leaks() == {}, (number, name)


def test_a_validation_uses_and_names_the_device_asked_for(
    engine: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = Gpu()
    install(double)
    monkeypatch.setattr(engine_on_gpu, "module_of", engine_backend.module_of)
    found = gpu_here(1)
    double.fail_at = len(double.calls) + 3
    with pytest.raises(EngineError, match=r"x\.engine failed on GPU 1 \(Double\): "):
        compared_on_gpu(engine, manifest_of(engine), onnx.ModelProto(), found, QUIET)
    assert double.devices == {1} and double.leaks() == {}


def test_images_are_fitted_to_the_range_of_an_engine(engine: Path, install: Install) -> None:
    install(Gpu())
    profile = Profile((1, 3, 32, 32), (1, 3, 64, 64), (1, 3, 64, 96))
    manifest_path(engine).write_text(replace(manifest_of(engine), profiles=(profile,)).to_json())
    with Derainer(engine) as derainer:
        for size in ((8, 8), (40, 50), (64, 96), (20, 300), (200, 200)):
            image = noise(*size).astype(np.uint8)
            assert np.array_equal(derainer.derain(image), image)
