"""Builds the C++ library in every way that is tested, and runs its tests; `make cpp-test` calls it.

    release    g++, both backends: all tests but the slow ones
    sanitized  clang++ with the address and undefined-behaviour sanitizers, and short fuzzing
    threads    clang++ with the thread sanitizer: the library alone

What is missing on the machine is installed with apt-get where that is allowed, else it is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CPP = Path(__file__).resolve().parents[1]
TABLE_BEGINS = "<!-- made by cpp/tests/run_all.py --write-table -->"
TABLE_ENDS = "<!-- end of what was made -->"
# a command or a file, and Debian's and Ubuntu's package that brings it
NEEDED = {
    "g++": "g++",
    "clang++": "clang",
    "/usr/include/png.h": "libpng-dev",
    "pkg-config": "pkg-config",
}


@dataclass(frozen=True)
class Build:
    """One way to build, and which tests are run.

    Attributes:
        name: of its folder.
        compiler: of C++; that of C has the same name without "++".
        options: for CMake.
        tests: for ctest.
        targets: what is built; nothing for everything.
    """

    name: str
    compiler: str
    options: tuple[str, ...]
    tests: tuple[str, ...]
    targets: tuple[str, ...] = ()


BOTH_BACKENDS = ("-DDRSFORMER_OPENVINO=ON", "-DDRSFORMER_ONNXRUNTIME=ON")
BUILDS = (
    Build(
        "release",
        "g++",
        (*BOTH_BACKENDS, "-DCMAKE_BUILD_TYPE=Release", "-DDRSFORMER_EXAMPLES=ON"),
        ("-LE", "slow"),
    ),
    Build(
        "sanitized",
        "clang++",
        (
            *BOTH_BACKENDS,
            "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1",
            "-DDRSFORMER_SANITIZE=address,undefined",
            "-DDRSFORMER_FUZZERS=ON",
        ),
        ("-LE", "slow|package"),
    ),
    Build(
        "threads",
        "clang++",
        (
            "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1",
            "-DDRSFORMER_SANITIZE=thread",
            "-DDRSFORMER_ONNXRUNTIME=OFF",
            "-DDRSFORMER_TOOLS=OFF",
        ),
        ("-R", "^(camera|threads)$"),
        ("test_camera", "test_threads"),
    ),
)


def main() -> None:
    """Install what is missing, then build and test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=CPP.parent / "build" / "cpp")
    parser.add_argument("--only", choices=[build.name for build in BUILDS])
    parser.add_argument(
        "--write-table", action="store_true", help="Put what was compared into docs/cpp.md."
    )
    arguments = parser.parse_args()
    install_missing()
    for build in BUILDS:
        if arguments.only in (None, build.name):
            run(build, arguments.folder / build.name)
    if arguments.write_table:
        write_table(arguments.folder / "release")


def install_missing() -> None:
    """Install packages for commands and files that are not here."""
    missing = [package for needed, package in NEEDED.items() if not shutil.which(needed)
               and not Path(needed).is_file()]  # fmt: skip
    if not missing:
        return
    if not shutil.which("apt-get"):
        sys.exit(f"missing: {', '.join(missing)}; install them with this system's package manager")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*as_root, "apt-get", "install", "-y", "--no-install-recommends", *missing]
    if subprocess.run(command).returncode != 0:
        sys.exit(f"missing: {', '.join(missing)}; run: sudo apt-get install {' '.join(missing)}")


def run(build: Build, folder: Path) -> None:
    """Configure, compile and test one build."""
    start = time.monotonic()
    compiler = build.compiler
    step(
        "cmake", "-S", CPP, "-B", folder, "-G", "Ninja",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        f"-DCMAKE_C_COMPILER={compiler.replace('clang++', 'clang').replace('g++', 'gcc')}",
        f"-DDRSFORMER_PYTHON={sys.executable}", f"-DOpenVINO_DIR={openvino_folder()}",
        f"-DDRSFORMER_PARITY_DATA={folder.parent / 'parity'}",
        "-DDRSFORMER_TESTS=ON", "-DDRSFORMER_WERROR=ON", *build.options,
    )  # fmt: skip
    targets = ("--target", *build.targets) if build.targets else ()
    step("cmake", "--build", folder, *targets)
    built = time.monotonic()
    step("ctest", "--test-dir", folder, "--output-on-failure", "-j", "2", *build.tests)
    ended = time.monotonic()
    print(f"{build.name}: built in {built - start:.0f} s, tested in {ended - built:.0f} s")


def write_table(build: Path) -> None:
    """Replace the table of docs/cpp.md by what the parity tests have written."""
    heads, rows = [], []
    for file in sorted(build.glob("parity_*.md")):
        first, second, *more = file.read_text().splitlines()
        heads, rows = [first, second], [*rows, *more]
    document = CPP.parent / "docs" / "cpp.md"
    text = document.read_text()
    before, _, rest = text.partition(TABLE_BEGINS)
    _, _, after = rest.partition(TABLE_ENDS)
    table = "\n".join([*heads, *rows])
    document.write_text(f"{before}{TABLE_BEGINS}\n{table}\n{TABLE_ENDS}{after}")


def step(command: str, *arguments: str | Path) -> None:
    """Run a command of CMake, from this environment if it is there."""
    beside = Path(sys.executable).with_name(command)
    program = str(beside) if beside.is_file() else command
    environment = os.environ | {"PATH": f"{beside.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([program, *map(str, arguments)], env=environment)
    if done.returncode != 0:
        sys.exit(f"{command} failed: {' '.join(map(str, arguments))}")


def openvino_folder() -> Path:
    """Return where OpenVINO's wheel keeps its CMake files; it is not imported."""
    found = importlib.util.find_spec("openvino")
    if found is None or found.origin is None:
        sys.exit("this Python has no openvino; install the extra [openvino]")
    return Path(found.origin).parent / "cmake"


if __name__ == "__main__":
    main()
