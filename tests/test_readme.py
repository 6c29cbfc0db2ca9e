"""The README's commands run, in order, as written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(program):
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith(program)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as after `make demo`, with the weights where a checkout has them."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "drsformer").symlink_to(ROOT / "drsformer")
    run(folder, "drs-export demo -o demo")
    for name, source in (("rainy", "rainy.png"), ("clean", "derained.png")):
        (folder / name).mkdir()
        (folder / name / "astronaut.png").write_bytes((folder / "demo" / source).read_bytes())
    return folder


def run(folder, command):
    program, *arguments = shlex.split(command)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_only_make_is_needed_to_start():
    assert commands("make") == ["make demo", "make test"]
    for command in commands("make"):
        subprocess.run([*command.split(), "-n"], cwd=ROOT, check=True, capture_output=True)


def test_the_commands_run_in_order(folder):
    assert {c.split()[1] for c in commands("drs-export")} == {
        "onnx", "run", "validate", "inspect", "evaluate", "convert", "trt", "bench"
    }  # fmt: skip
    printed = [run(folder, command) for command in commands("drs-export")]
    assert all(printed)
    (exported,) = (line for line in README.splitlines() if "agrees with the checkpoint" in line)
    assert any(exported in output.splitlines() for output in printed)
    assert (folder / "out" / "rainy.compare.png").is_file() and (folder / "scores.json").is_file()
    (code,) = blocks("python")
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def test_links_and_pictures_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    for target in targets:
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z]+_[A-Z]+$|^SPEED$|TODO", README, re.MULTILINE)
