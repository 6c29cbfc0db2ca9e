"""Which torch `make` installs: the wheels and the indexes are small stand-ins on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import install
import pytest

ROOT = Path(__file__).parents[1]
NOBODY = "http://127.0.0.1:9"  # nothing listens there
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the CUDA build is what the public index has for Linux"
)


def write_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Write a wheel with an empty module, in the folder that an index has for its package."""
    stem = f"{name.replace('-', '_')}-{version}"
    (folder / name).mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(folder / name / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name.replace('-', '_')}.py", "")
        wheel.writestr(
            f"{stem}.dist-info/METADATA", metadata + (requires and f"Requires-Dist: {requires}\n")
        )
        wheel.writestr(
            f"{stem}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


class Index:
    """A package index: a folder of wheels that a server lists, and what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []

        class Handler(SimpleHTTPRequestHandler):
            def log_message(handler, *_: object) -> None:
                self.asked.append(handler.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def indexes(tmp_path):
    """Return an index with PyTorch's CPU build, and one with the CUDA build, as the public one."""
    write_wheel(tmp_path / "cpu", "torch", "2.13.0+cpu")
    write_wheel(tmp_path / "cuda", "torch", "2.13.0", requires="nvidia-cublas")
    write_wheel(tmp_path / "cuda", "nvidia-cublas", "13.0")
    both = Index(tmp_path / "cpu"), Index(tmp_path / "cuda")
    yield both
    for index in both:
        index.server.shutdown()
        index.server.server_close()


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def installs(empty_environment, indexes, tmp_path):
    """Return what runs the script in a new environment, and says what is installed then.

    Without `PIP_INDEX_URL`, pip's own index is out of reach, and the CUDA build is in a folder.
    """
    shutil.copytree(empty_environment, tmp_path / "venv", symlinks=True)
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    python = tmp_path / "venv/bin/python"
    folders = " ".join(str(tmp_path / "cuda" / name) for name in ("torch", "nvidia-cublas"))
    base = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    base |= {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PYTHONPATH": ""}
    base |= {"https_proxy": NOBODY, "no_proxy": "127.0.0.1"}  # the stand-ins speak plain http

    def run(*arguments: str, **settings: str) -> tuple[set[str], subprocess.CompletedProcess[str]]:
        done = subprocess.run(
            [python, ROOT / "tools/install.py", "-c", "constraints.txt", *arguments, "torch"],
            cwd=tmp_path,
            env=base | (settings or {"PIP_FIND_LINKS": folders}),
            capture_output=True,
            text=True,
            timeout=60,
        )
        (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
        return {
            path.name.removesuffix(".dist-info")
            for path in packages.glob("*.dist-info")
            if path.name.startswith(("torch", "nvidia"))
        }, done

    return run


CPU_BUILD, CUDA_BUILD = {"torch-2.13.0+cpu"}, {"torch-2.13.0", "nvidia_cublas-13.0"}


def test_the_cpu_build_is_taken_where_its_index_answers(installs, indexes):
    cpu, cuda = indexes
    installed, done = installs("--try-index", cpu.url)
    assert done.returncode == 0, done.stderr
    assert installed == CPU_BUILD and "CUDA" not in done.stderr

    cpu.asked.clear()
    assert installs("--try-index", cpu.url)[1].returncode == 0
    assert not cpu.asked  # torch is installed already


def test_one_line_says_that_cuda_packages_come(installs):
    installed, done = installs("--try-index", NOBODY)
    assert done.returncode == 0 and installed == CUDA_BUILD
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("[notice]"))
    assert line == install.CUDA_COMES and "2.7 GB" in line and "TORCH_INDEX=URL" in line


def test_cuda_takes_the_ordinary_index_without_an_attempt_or_a_word(installs, indexes):
    installed, done = installs("--torch", "cuda", "--try-index", indexes[0].url)
    assert done.returncode == 0 and installed == CUDA_BUILD
    assert not indexes[0].asked and "CUDA" not in done.stderr


def test_nothing_is_said_where_the_ordinary_index_has_the_cpu_build(installs, indexes, tmp_path):
    installed, done = installs(
        "--try-index", indexes[0].url, PIP_FIND_LINKS=str(tmp_path / "cpu" / "torch")
    )
    assert done.returncode == 0 and installed == CPU_BUILD
    assert not indexes[0].asked and "CUDA" not in done.stderr


def test_an_index_of_the_users_own_is_the_only_one_asked(installs, indexes):
    cpu, cuda = indexes
    installed, done = installs("--try-index", cpu.url, PIP_INDEX_URL=cuda.url)
    assert done.returncode == 0 and installed == CUDA_BUILD
    assert not cpu.asked and install.CUDA_COMES in done.stderr


def test_a_named_index_is_taken_or_everything_stops(installs, indexes):
    cpu, cuda = indexes
    installed, done = installs("--torch-index", NOBODY, PIP_INDEX_URL=cuda.url)
    assert done.returncode != 0 and installed == set() and "torch" in done.stderr
    installed, done = installs("--torch-index", cpu.url, PIP_INDEX_URL=cuda.url)
    assert done.returncode == 0 and installed == CPU_BUILD
    assert install.CUDA_COMES not in done.stderr


def test_other_systems_have_one_build_and_make_no_attempt(monkeypatch):
    ran = []

    def run(command):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(install, "is_installed", lambda _: False)
    monkeypatch.setattr(subprocess, "run", run)
    constraints = str(ROOT / "constraints.txt")
    assert install.main(["-c", constraints, "--try-index", NOBODY, "-e", "."]) == 0
    assert ran == [[*install.PIP, "install", "-c", constraints, "-e", "."]]


@pytest.mark.parametrize(
    ("line", "is_cuda"),
    [
        ("Collecting nvidia-cudnn-cu13==9.20.0.48 (from torch)", True),
        ("Collecting cuda-toolkit[cublas,nvrtc]==13.0.3 (from torch)", True),
        ("Collecting triton~=3.8.0 (from torch)", True),
        ("Processing /wheels/nvidia_cublas-13.0-py3-none-any.whl (from torch)", True),
        ("Processing /nvidia-wheels/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", False),
        ("Collecting cuda-bindings<14,>=13.0.3 (from torch)", False),  # also of our extra [rtx]
        ("Requirement already satisfied: nvidia-cublas in /x (13.0)", False),
    ],
)
def test_which_lines_of_pip_name_cuda_packages(line, is_cuda):
    assert install.cuda_among([line + "\n"]) == is_cuda


@pytest.mark.parametrize(
    ("setting", "attempt", "named"),
    [("TORCH=cpu", True, False), ("TORCH=cuda", True, False), ("TORCH_INDEX=URL", False, True)],
)
def test_make_hands_its_settings_on(setting, attempt, named):
    done = subprocess.run(
        ["make", "-n", "-B", setting, "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (command,) = re.findall(r"tools/install\.py (?:.*\\\n)*.*", done.stdout)
    assert ("--try-index https://" in command) == attempt
    assert ("--torch-index URL" in command) == named
    assert ("--torch cuda" in command) == (setting == "TORCH=cuda")
