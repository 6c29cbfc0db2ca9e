"""Build for aarch64, run the tests of the contract and the pixels by qemu, and compare results.

    python run_on_aarch64.py --work FOLDER --drs-derain PATH --modules FOLDER --ort-library PATH

The Python is one that has drs-export and onnxruntime; the wheel of the same onnxruntime for aarch64
is downloaded by pip. drs-derain is this machine's own, with which the pictures of aarch64 are
compared. Exit code 77 means that a tool or the wheel is missing, and which is said.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPP = Path(__file__).resolve().parents[1]
TOOLCHAIN = CPP / "cmake" / "aarch64-linux-gnu.cmake"
WEIGHTS = CPP.parent / "drsformer" / "weights" / "demo.safetensors"
CASES = CPP.parent / "tests" / "data" / "contract_cases.json"
SIZES = ((37, 53), (64, 1), (255, 129))  # height and width
PLATFORMS = ("manylinux_2_27_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64")
TARGETS = ("test_contract_cases", "test_pixels", "drsformer_onnxruntime", "drs-derain")
TOOLS = ("aarch64-linux-gnu-g++", "qemu-aarch64", "cmake")
ENVIRONMENT = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
MOST_LEVELS = 1  # of 255, that a result may differ: other instructions sum in another order
# What ONNX Runtime reads to learn about the processor; qemu shows this machine's own otherwise.
SYSTEM_FILES = {
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
    "CPU variant\t: 0x0\nCPU part\t: 0xd07\nCPU revision\t: 0\n",
    "sys/devices/system/cpu/possible": "0\n",
    "sys/devices/system/cpu/present": "0\n",
    "sys/devices/system/cpu/cpu0/regs/identification/midr_el1": "0x00000000410fd070\n",
}


class Missing(Exception):
    """Something that this machine lacks, so that the test is skipped."""


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print("+", shlex.join(words), flush=True)
    done = subprocess.run(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nexit code {done.returncode}")


def check_tools() -> None:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")


def make_prefix(folder: Path) -> Path:
    """Make the folder where programs under qemu see an ARM machine."""
    for name, text in SYSTEM_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    library = folder / "lib"
    library.unlink(missing_ok=True)
    library.symlink_to("/usr/aarch64-linux-gnu/lib")
    return folder


def download_wheel(folder: Path) -> Path:
    """Return onnxruntime's wheel for aarch64, of the version that this Python has."""
    try:
        wanted = version("onnxruntime")
    except PackageNotFoundError:
        raise Missing("this Python has no onnxruntime") from None
    pattern = f"onnxruntime-{wanted}-*aarch64.whl"
    if not list(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += [word for name in PLATFORMS for word in ("--platform", name)]
        command += ["--dest", str(folder), f"onnxruntime=={wanted}"]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            raise Missing(f"pip cannot download onnxruntime {wanted} for aarch64")
    return next(iter(folder.glob(pattern)))


def unpack_library(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        beginning = "onnxruntime/capi/libonnxruntime.so"
        names = [name for name in archive.namelist() if name.startswith(beginning)]
        if not names:
            sys.exit(f"{wheel.name} has no libonnxruntime.so; look where this version has it")
        return Path(archive.extract(names[0], folder))


def build(folder: Path, library: Path) -> None:
    run("cmake", "-S", CPP, "-B", folder, f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
        "-DDRSFORMER_TESTS=ON", f"-DDRSFORMER_PYTHON={sys.executable}",
        f"-DDRSFORMER_ORT_LIBRARY={library}")  # fmt: skip
    run("cmake", "--build", folder, "--parallel", "2", "--target", *TARGETS)


def export_model(path: Path) -> None:
    """Export the demo network with 8-bit input and output."""
    run(sys.executable, "-c", "from drsformer.commands.main import main; main()",
        "onnx", WEIGHTS, "-o", path, "--io", "uint8", "--runtime", "ort")  # fmt: skip


def write_picture(path: Path, height: int, width: int) -> None:
    """Write a PPM file: a slope with noise and bright streaks, always the same."""
    pixels = bytearray()
    noise = 1
    for row in range(height):
        for column in range(width):
            noise = (noise * 1103515245 + 12345) % 2**31
            streak = 90 if (column + row // 4) % 23 == 0 else 0
            for shade in (40 + row // 2, 60 + column, 120):
                pixels.append(min(255, shade + streak + noise // 65536 % 16))
    path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels)


def pixels_of(path: Path, height: int, width: int) -> bytes:
    pixels = path.read_bytes()[-height * width * 3 :]
    if len(pixels) != height * width * 3:
        sys.exit(f"{path} has too few pixels for {height}x{width}")
    return pixels


def compare(first: bytes, second: bytes, what: str) -> None:
    distances = [abs(a - b) for a, b in zip(first, second, strict=True)]
    differing, most = sum(d > 0 for d in distances), max(distances)
    print(f"{what}: {differing} of {len(distances)} values differ, by at most {most} of 255")
    if most > MOST_LEVELS:
        sys.exit(f"{what}: expected a difference of at most {MOST_LEVELS}")


def compare_pictures(arguments: argparse.Namespace, qemu: list[object], library: Path) -> None:
    work: Path = arguments.work
    model = work / "demo.onnx"
    export_model(model)
    for height, width in SIZES:
        rainy, here, there = (work / f"{name}.ppm" for name in ("rainy", "x86_64", "aarch64"))
        write_picture(rainy, height, width)
        # whole: measuring what fits into the memory would run the network on larger pictures first
        command = [model, rainy, "--tile", "whole", "--threads", "1", "-o"]
        run(arguments.drs_derain, *command, here, "--modules", arguments.modules,
            "--library", arguments.ort_library)  # fmt: skip
        run(*qemu, work / "build" / "bin" / "drs-derain", *command, there,
            "--modules", work / "build" / "lib", "--library", library)  # fmt: skip
        first, second = (pixels_of(path, height, width) for path in (here, there))
        compare(first, second, f"{height}x{width}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("work", "drs-derain", "modules", "ort-library"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    work: Path = arguments.work
    try:
        check_tools()
        work.mkdir(parents=True, exist_ok=True)
        library = unpack_library(download_wheel(work), work)
    except Missing as missing:
        print(f"skipped: {missing}")
        return 77
    qemu = ["qemu-aarch64", "-L", make_prefix(work / "prefix")]
    build(work / "build", library)
    run(*qemu, work / "build" / "bin" / "test_contract_cases", CASES)
    run(*qemu, work / "build" / "bin" / "test_pixels")
    compare_pictures(arguments, qemu, library)
    return 0


if __name__ == "__main__":
    sys.exit(main())
