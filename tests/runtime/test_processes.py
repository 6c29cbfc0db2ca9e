"""An opened Derainer in other processes: it works, or one sentence says why not; nothing hangs."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from drsformer.errors import ModelError
from drsformer.runtime import Derainer

from ..samples import noise, write_model

SIZES = ((64, 96), (40, 56), (72, 40), (88, 48))
START = """
import os, sys
import numpy as np
from drsformer.errors import ModelError
from drsformer.runtime import Derainer
derainer = Derainer(sys.argv[1], threads=2, provider=sys.argv[2])
image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
expected = derainer.derain(image)

def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        sys.exit(0)  # frees what is left, as any program does
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
FORKS = {
    "nothing": "code = in_child(lambda: None)",
    "close": "code = in_child(derainer.close)",
    "same size": "code = in_child(lambda: np.testing.assert_array_equal("
    "derainer.derain(image), expected))",
    "sizes": "code = in_child(lambda: [derainer.derain(image[:n, :n]) for n in (8, 24, 40, 56)])",
    "grandchild": "code = in_child(lambda: sys.exit(in_child(lambda: derainer.derain(image))))",
}
POOL = """
import multiprocessing
def job(n):
    return int(derainer.derain(image[:n]).sum())
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map(job, (8, 24, 40, 56, 64))
assert found == [job(n) for n in (8, 24, 40, 56, 64)]
"""


def run(script: str, model: Path, provider: str) -> str:
    """Run a script of a process of its own; return what it printed."""
    command = [sys.executable, "-W", "ignore", "-c", START + script, str(model), provider]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "model.onnx")


@pytest.mark.parametrize("fork", FORKS)
def test_a_forked_process_can_go_on(fork: str, model: Path) -> None:
    run(FORKS[fork] + "\nassert code == 0, code\nderainer.derain(image)", model, "cpu")


def test_a_pool_of_forked_processes_works(model: Path) -> None:
    run(POOL, model, "cpu")


@pytest.mark.parametrize("fork", ["nothing", "close"])
def test_a_forked_process_ends_with_openvino_too(fork: str, model: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    run(FORKS[fork] + "\nassert code == 0, code\nderainer.derain(image)", model, "openvino")


def test_what_does_not_survive_a_fork_says_so(model: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    script = """
def work():
    try:
        derainer.derain(image)
    except ModelError as error:
        print(error, flush=True)
in_child(work)
"""
    (said,) = run(script, model, "openvino").splitlines()
    assert "opened with 'openvino' before this process was forked" in said and "'spawn'" in said


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_a_pickled_derainer_is_opened_again(provider: str, model: Path) -> None:
    if provider == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    with Derainer(model, threads=1, tile=32, overlap=8, provider=provider) as derainer:
        again = pickle.loads(pickle.dumps(derainer))
        with again:
            assert (again.tiling, again.provider) == (derainer.tiling, provider)
            image = noise(40, 48)
            np.testing.assert_array_equal(again.derain(image), derainer.derain(image))


def test_a_closed_derainer_is_not_pickled(model: Path) -> None:
    derainer = Derainer(model)
    derainer.close()
    with pytest.raises(ModelError, match="was closed; open a new one"):
        pickle.dumps(derainer)


def test_spawned_processes_take_a_derainer(model: Path) -> None:
    context = multiprocessing.get_context("spawn")
    images = [noise(*size).astype(np.uint8) for size in SIZES]
    with Derainer(model, threads=1) as derainer:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found = list(pool.map(derainer.derain, images, timeout=60))
        for image, result in zip(images, found, strict=True):
            np.testing.assert_array_equal(result, derainer.derain(image))
