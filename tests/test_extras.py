"""Every command with the core alone, with [onnx] and with [export]: it works, or names its extra.

The fast tests hide the modules that an environment lacks; the slow ones install the wheel into
environments of their own, also for each Python that we support.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import pytest

from drsformer.commands.main import COMMANDS
from drsformer.engine.manifest import manifest_path
from drsformer.extras import EXTRA_OF
from drsformer.files import sha256_of

from .drsformer.engine.test_manifest import MANIFEST
from .samples import noise

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ("core", "onnx", "export")  # each has what the one before it has
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LARGEST_CORE = 360  # MB, of an installation without extras
NEVER = ("skimage", "openvino", "colored")  # of other extras, and what only polygraphy imports
# tests run side by side, and threads that wait for each other would take minutes
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
HIDE = """
import sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
from drsformer.commands.main import main
main()
"""


@dataclass(frozen=True)
class Case:
    """A command, the smallest environment that it works in, and the extra it names in others."""

    arguments: str
    works_with: str

    @property
    def command(self) -> str:
        return self.arguments.split()[0]


CASES = (
    Case("run x.onnx rainy -o OUT", "core"),
    Case("run rainy -o OUT", "core"),
    Case("run x.pth rainy -o OUT", "export"),
    Case("evaluate x.onnx --rainy rainy --clean rainy", "core"),
    Case("evaluate x.pth --rainy rainy --clean rainy", "export"),
    Case("inspect x.onnx", "core"),
    Case("inspect x.engine", "core"),
    Case("inspect --cost x.onnx", "onnx"),
    Case("inspect x.pth", "export"),
    Case("validate x.engine", "onnx"),
    Case("validate x.onnx --checkpoint x.pth", "export"),
    Case("convert x.onnx --fp16 -o OUT/y.onnx --images rainy", "onnx"),
    Case("convert x.pth --fp16 -o OUT/y.onnx --images rainy", "export"),
    Case("calibrate x.onnx -o OUT/y.json --images rainy --count 4 --crop 32", "onnx"),
    Case("sensitivity x.onnx --precision fp16 --images rainy --threads 1", "onnx"),
    Case("trt x.onnx --emit-script OUT/build.sh -o OUT/y.engine", "onnx"),
    Case("trt x.pth --emit-script OUT/build.sh -o OUT/y.engine", "export"),
    Case("onnx x.pth -o OUT/y.onnx", "export"),
    Case("bench x.pth --size 32x32 --rounds 1 --candidate deployed", "export"),
    Case("demo -o OUT", "calibration"),
)
# a case is tried up to the first environment that it works in; the others have more
IN_EACH = [
    (environment, case)
    for case in CASES
    for environment in ENVIRONMENTS[: (*ENVIRONMENTS, case.works_with).index(case.works_with) + 1]
]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_onnx: Path
) -> Path:
    """A folder with a checkpoint, an ONNX file, an engine of a GPU elsewhere, and images."""
    path = tmp_path_factory.mktemp("environments")
    shutil.copy(tiny_checkpoint, path / "x.pth")
    shutil.copy(tiny_onnx, path / "x.onnx")
    engine = path / "x.engine"
    engine.write_bytes(b"engine!")
    manifest = replace(
        MANIFEST, engine_sha256=sha256_of(engine), onnx_sha256=sha256_of(path / "x.onnx")
    )
    manifest_path(engine).write_text(manifest.to_json())
    (path / "rainy").mkdir()
    for number in range(4):
        cv2.imwrite(str(path / "rainy" / f"{number}.png"), noise(32, 32 + number))
    return path


def check(environment: str, case: Case, command: list[str], folder: Path, output: Path) -> None:
    """Check that a case works in an environment, or names the extra that it needs."""
    words = [word.replace("OUT", str(output)) for word in case.arguments.split()]
    variables = ONE_THREAD | {"XDG_CACHE_HOME": str(folder / f"cache-{environment}")}
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, cwd=folder, env=variables, timeout=300
    )
    works = case.works_with in ENVIRONMENTS[: ENVIRONMENTS.index(environment) + 1]
    if works:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "install the extra" in line
    assert case.works_with in line.split("pip install")[1]
    assert not list(output.glob("**/*"))


def hidden_in(environment: str) -> str:
    """Return the modules that an environment lacks, separated by commas."""
    has = ENVIRONMENTS[: ENVIRONMENTS.index(environment) + 1]
    lacks = [module for module, extra in EXTRA_OF.items() if extra not in has]
    return ",".join([*lacks, *NEVER[: 3 if environment == "core" else 2]])


@pytest.mark.parametrize(
    ("environment", "case"), IN_EACH, ids=[f"{one}: {case.arguments}" for one, case in IN_EACH]
)
def test_a_command_works_or_names_its_extra(
    environment: str, case: Case, folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", HIDE, hidden_in(environment)]
    check(environment, case, command, folder, tmp_path)


def test_every_command_is_tried() -> None:
    assert {case.command for case in CASES} == set(COMMANDS)


def installed(python: str, folder: Path, extra: str) -> Path:
    """Install the wheel with an extra into a new environment; return its folder of programs."""
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    pip = [programs / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wanted]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return programs


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_command_where_it_is_installed(
    environment: str, folder: Path, tmp_path: Path
) -> None:
    extra = "" if environment == "core" else environment
    command = [str(installed(sys.executable, tmp_path, extra) / "drs-export")]
    if environment == "core":
        assert megabytes(tmp_path / "venv") <= LARGEST_CORE
    for number, case in enumerate(CASES):
        output = tmp_path / str(number)
        output.mkdir()
        check(environment, case, command, folder, output)


def megabytes(environment: Path) -> float:
    """Return the size of an environment without pip, as `du` counts it."""
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    others = (path for path in files if not any(part.startswith("pip") for part in path.parts))
    return sum(512 * path.stat().st_blocks for path in others) / 2**20


def interpreter(version: str) -> str | None:
    """Return an interpreter of a version: on the path, or one of pyenv's."""
    found = shutil.which(f"python{version}")
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    others = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(others[-1]) if others else found


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_the_core_installs_and_runs_on_each_python(
    version: str, folder: Path, tmp_path: Path, tiny_onnx: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    programs = installed(python, tmp_path, "")
    command = [programs / "drs-export", "run", "x.onnx", "rainy", "-o", tmp_path / "out"]
    subprocess.run(command, check=True, cwd=folder)
    there = pixels_of(tmp_path / "out")
    subprocess.run([sys.executable, "-c", HIDE, "torch", *command[1:-1], tmp_path / "here"],
                   check=True, cwd=folder)  # fmt: skip
    assert len(there) == 4 and there == pixels_of(tmp_path / "here")


def pixels_of(folder: Path) -> dict[str, str]:
    """Return a hash of each image's decoded pixels, by name."""
    return {
        path.name: hashlib.sha256(cv2.imread(str(path)).tobytes()).hexdigest()
        for path in folder.iterdir()
    }
