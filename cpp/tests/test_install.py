"""Install the library, move it, and use it as users do: by find_package and by pkg-config.

    python test_install.py shared|static --build BUILD --work FOLDER ...

shared installs what BUILD has; static builds a library that has ONNX Runtime's backend in it.
Exit code 77 means that a tool is missing, and which is said.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CPP = Path(__file__).resolve().parents[1]
MODEL = CPP.parent / "drsformer" / "weights" / "demo.onnx"
BACKENDS = ("onnxruntime", "openvino", "tensorrt", "tensorrt_rtx")
SKIPPED = 77
COMPONENT_PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(component LANGUAGES C CXX)
find_package(drsformer REQUIRED COMPONENTS {component})
"""


def run(*command: object, environment: dict[str, str] | None = None, fails: bool = False) -> str:
    """Run a command and return what it printed; `fails` expects an error instead of success."""
    words = [str(word) for word in command]
    print("+", shlex.join(words), flush=True)
    done = subprocess.run(
        words,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if (done.returncode != 0) != fails:
        sys.exit(f"{done.stdout}\nexit code {done.returncode}")
    return done.stdout


def require(holds: bool, sentence: str) -> None:
    if not holds:
        sys.exit(sentence)


def configure(
    arguments: argparse.Namespace, source: Path, build: Path, *options: str
) -> list[object]:
    """Return the command that configures a project with this build's compilers."""
    return [
        arguments.cmake, "-S", source, "-B", build,
        f"-DCMAKE_C_COMPILER={arguments.ctool}", f"-DCMAKE_CXX_COMPILER={arguments.cxxtool}",
        "-DCMAKE_BUILD_TYPE=Release", *options,
    ]  # fmt: skip


def built(arguments: argparse.Namespace) -> Path:
    """Return the build folder to install."""
    if arguments.kind == "shared":
        return arguments.build
    build = arguments.work / "build"
    run(*configure(
        arguments, CPP, build, "-DBUILD_SHARED_LIBS=OFF", "-DDRSFORMER_STATIC_BACKEND=onnxruntime",
        "-DDRSFORMER_TOOLS=OFF",
    ))  # fmt: skip
    run(arguments.cmake, "--build", build, "--parallel", "2")
    return build


def installed(arguments: argparse.Namespace) -> Path:
    """Return an installed folder that was moved after it was made."""
    first, moved = arguments.work / "first", arguments.work / "moved"
    for folder in (first, moved):
        shutil.rmtree(folder, ignore_errors=True)
    run(arguments.cmake, "--install", built(arguments), "--prefix", first, "--strip")
    first.rename(moved)
    return moved


def folder_of(prefix: Path, name: str) -> Path:
    """Return the folder of a file, which is lib or lib/ARCHITECTURE or so."""
    found = sorted(prefix.rglob(name))
    require(len(found) == 1, f"{name} is in {len(found)} places of {prefix}, expected one")
    return found[0].parent


def running(arguments: argparse.Namespace, *folders: Path) -> dict[str, str]:
    """Return an environment where the system finds ONNX Runtime, by the name it is looked for."""
    link = arguments.work / "onnxruntime" / "libonnxruntime.so.1"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(arguments.ort_library)
    paths = [*folders, link.parent]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, paths)), "DRSFORMER_MODULES": ""}


def check_consumer(arguments: argparse.Namespace, prefix: Path) -> None:
    build = arguments.work / "consumer"
    shutil.rmtree(build, ignore_errors=True)
    run(
        *configure(arguments, CPP / "examples" / "consumer", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    )
    run(arguments.cmake, "--build", build)
    # no path of the library: the program knows where it is
    printed = run(build / "consumer", MODEL, environment=running(arguments))
    require("derained 8x8 pixels" in printed, f"the consumer printed {printed!r}")


def check_components(arguments: argparse.Namespace, prefix: Path) -> None:
    """find_package fails with a sentence for a backend that is not installed, and only then."""
    for component in (*BACKENDS, "telepathy"):
        project = arguments.work / "component"
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir()
        (project / "CMakeLists.txt").write_text(COMPONENT_PROJECT.format(component=component))
        here = list(prefix.rglob(f"libdrsformer_{component}.so")) or (
            arguments.kind == "static" and component == "onnxruntime"
        )
        printed = run(
            *configure(arguments, project, project / "build", f"-DCMAKE_PREFIX_PATH={prefix}"),
            fails=not here,
        )
        sentence = "is not a component" if component == "telepathy" else "is not in"
        # CMake breaks lines where it likes
        require(bool(here) or sentence in " ".join(printed.split()), printed)


def check_pkg_config(arguments: argparse.Namespace, prefix: Path) -> None:
    """A C program is compiled without CMake, and derains a picture."""
    environment = {"PKG_CONFIG_PATH": str(folder_of(prefix, "drsformer.pc"))}
    flags = run("pkg-config", "--cflags", "--libs", "drsformer", environment=environment).split()
    program, rainy, clean = (arguments.work / name for name in ("derain_c", "r.ppm", "c.ppm"))
    run(arguments.ctool, "-std=c11", CPP / "examples" / "derain.c", *flags, "-o", program)
    rainy.write_bytes(b"P6\n13 7\n255\n" + bytes(range(13 * 7)) * 3)
    clean.unlink(missing_ok=True)
    libraries = folder_of(prefix, "drsformer.pc").parent
    run(program, MODEL, rainy, clean, environment=running(arguments, libraries))
    require(clean.stat().st_size == rainy.stat().st_size, f"{clean} has another size")


def check_static_symbols(prefix: Path) -> None:
    """The static library defines the functions of the header, and nothing that could clash."""
    archive = folder_of(prefix, "libdrsformer.a") / "libdrsformer.a"
    printed = run("nm", "--defined-only", "--extern-only", archive)
    names = {line.split()[2] for line in printed.splitlines() if len(line.split()) == 3}
    others = {name for name in names if not name.startswith("drs_")}
    require("drs_open" in names, f"{archive} does not define drs_open")
    require(not others and not any("backend" in name for name in names),
            f"{archive} defines {sorted(names)[:5]}")  # fmt: skip


def check_licences(prefix: Path) -> None:
    for name in ("LICENSE", "NOTICE", "third_party/nlohmann/LICENSE"):
        path = prefix / "share" / "doc" / "drsformer" / name
        require(path.is_file(), f"{path} is not installed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("shared", "static"))
    for name in ("build", "work", "ort-library"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("cmake", "ctool", "cxxtool"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    if shutil.which("pkg-config") is None:
        print("skipped: pkg-config is not installed")
        return SKIPPED
    arguments.work.mkdir(parents=True, exist_ok=True)
    prefix = installed(arguments)
    check_licences(prefix)
    check_consumer(arguments, prefix)
    check_components(arguments, prefix)
    check_pkg_config(arguments, prefix)
    if arguments.kind == "static":
        check_static_symbols(prefix)
    print("installed, found and used")
    return 0


if __name__ == "__main__":
    sys.exit(main())
