"""Providers: only the one that was asked for, or an error that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from drsformer.errors import ProviderError
from drsformer.runtime import Derainer
from drsformer.runtime.backends.onnxruntime_providers import (
    PROVIDERS,
    check_available,
    check_in_use,
)

from ...samples import write_model

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture(scope="module")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


def test_the_cpu_is_always_there() -> None:
    assert PROVIDERS["cpu"].onnxruntime_name == CPU
    check_available(PROVIDERS["cpu"], ort.get_available_providers())


def test_all_names_are_onnxruntimes() -> None:
    names = {provider.onnxruntime_name for provider in PROVIDERS.values()}
    assert names <= set(ort.get_all_providers())


def test_an_unknown_provider_lists_the_known_ones(tiny_onnx: Path) -> None:
    with pytest.raises(ProviderError, match="'gpu'; expected one of cpu, cuda, .*, openvino"):
        Derainer(tiny_onnx, provider="gpu")


def test_a_missing_provider_names_its_package() -> None:
    with pytest.raises(
        ProviderError, match=r"which has cpu; install onnxruntime-gpu\[cuda,cudnn\]"
    ):
        check_available(PROVIDERS["cuda"], [CPU])


def test_a_session_on_another_provider_is_refused() -> None:
    with pytest.raises(ProviderError, match="'cuda' is installed but could not start"):
        check_in_use(PROVIDERS["cuda"], [CPU])


class FallenBack:
    """A session as ONNX Runtime gives it where the CUDA libraries are missing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def get_providers(self) -> list[str]:
        return [CPU]


class NoDevice(FallenBack):
    def __init__(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA failure 35: driver version is insufficient\n  at cuda_call.cc:123")


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (FallenBack, "fell back to CPUExecutionProvider"),
        (NoDevice, "cannot run .*tiny.onnx: CUDA failure 35: driver version is insufficient"),
    ],
)
def test_opening_never_falls_back(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch, session: type, message: str
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", session)
    with pytest.raises(ProviderError, match=message) as caught:
        Derainer(tiny_onnx, provider="cuda")
    assert "\n" not in str(caught.value)


def test_tensorrt_leaves_what_it_cannot_run_to_cuda(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    class Recorder(FallenBack):
        def __init__(self, *_: Any, **settings: Any) -> None:
            asked.append(settings["providers"])

    available = ["TensorrtExecutionProvider", CUDA, CPU]
    monkeypatch.setattr(ort, "get_available_providers", lambda: available)
    monkeypatch.setattr(ort, "InferenceSession", Recorder)
    with pytest.raises(ProviderError):
        Derainer(tiny_onnx, provider="tensorrt")
    assert asked == [["TensorrtExecutionProvider", CUDA]]


@pytest.mark.parametrize("threads", [0, -1])
def test_a_thread_count_below_one_is_refused(tiny_onnx: Path, threads: int) -> None:
    with pytest.raises(ProviderError, match=f"threads is {threads}; expected 1 to"):
        Derainer(tiny_onnx, threads=threads)


@pytest.mark.parametrize("provider", ["cpu", "openvino", None])
def test_a_device_is_refused_where_nothing_runs_on_cuda(
    tiny_onnx: Path, provider: str | None
) -> None:
    with pytest.raises(ProviderError, match="device 0 is the CUDA ordinal .* does not run on CUDA"):
        Derainer(tiny_onnx, provider=provider, device=0)


def test_a_negative_device_is_refused(tiny_onnx: Path) -> None:
    with pytest.raises(ProviderError, match="device is -1; expected a CUDA ordinal"):
        Derainer(tiny_onnx, provider="cuda", device=-1)


@pytest.mark.parametrize(("device", "given"), [(None, {}), (1, {"device_id": "1"})])
def test_every_cuda_provider_gets_the_device(
    tiny_onnx: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: int | None,
    given: dict[str, str],
) -> None:
    asked: dict[str, Any] = {}

    class Asked(FallenBack):
        def __init__(self, *_: Any, **options: Any) -> None:
            asked.update(options)

    available = ["TensorrtExecutionProvider", CUDA, CPU]
    monkeypatch.setattr(ort, "get_available_providers", lambda: available)
    monkeypatch.setattr(ort, "InferenceSession", Asked)
    with pytest.raises(ProviderError, match="could not start"):
        Derainer(tiny_onnx, provider="tensorrt", device=device)
    assert asked["providers"] == available[:2] and asked["provider_options"] == [given, given]
