"""Make a release archive: the library, its modules, headers, drs-derain and the demo model.

    python cpp/packaging/make_archive.py --arch x86_64 --model demo_uint8.onnx -o dist

Writes drsformer-VERSION-linux-ARCH.tar.gz and its line in SHA256SUMS. The same sources, compilers
and model give the same bytes. The model is that of

    drs-export onnx drsformer/weights/demo.safetensors --io uint8 -o demo_uint8.onnx

--openvino-dir is the folder of OpenVINOConfig.cmake, of ARCH; without it that module is left out.
"""

import argparse
import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CPP = Path(__file__).resolve().parents[1]
ROOT = CPP.parent
TOOLCHAINS = {"x86_64": None, "aarch64": CPP / "cmake" / "aarch64-linux-gnu.cmake"}
MOST_BYTES = {"x86_64": 300 * 1024, "aarch64": 340 * 1024}  # of the library; ARM's code is longer
BINUTILS = {"x86_64": "", "aarch64": "aarch64-linux-gnu-"}
MODIFIED = 1_577_836_800  # 2020-01-01: any time does, if it is always the same


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def project_version() -> str:
    text = (ROOT / "drsformer" / "__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        sys.exit("drsformer/__init__.py has no line __version__ = ...")
    return found[1]


def configuration(arguments: argparse.Namespace, build: Path) -> list[object]:
    """Return the options of a release build, in whose files no folder of this machine is named."""
    prefix_map = f"-ffile-prefix-map={ROOT}=. -ffile-prefix-map={build}=build"
    options: list[object] = [
        "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_INSTALL_LIBDIR=lib", "-DDRSFORMER_TOOLS=ON",
        "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",  # else the build's folder is in the build ID
        f"-DCMAKE_C_FLAGS={prefix_map}", f"-DCMAKE_CXX_FLAGS={prefix_map}",
    ]  # fmt: skip
    if TOOLCHAINS[arguments.arch]:
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAINS[arguments.arch]}")
    if arguments.openvino_dir:
        options += ["-DDRSFORMER_OPENVINO=ON", f"-DOpenVINO_DIR={arguments.openvino_dir}"]
    return options


def install(arguments: argparse.Namespace, build: Path, prefix: Path) -> None:
    run("cmake", "-S", CPP, "-B", build, *configuration(arguments, build))
    run("cmake", "--build", build, "--parallel", arguments.jobs)
    run("cmake", "--install", build, "--prefix", prefix, "--strip")


def check_symbols(arch: str, prefix: Path) -> None:
    """Refuse a build that would not start on Ubuntu 22.04."""
    files = [prefix / "lib" / "libdrsformer.so.1", *sorted(prefix.glob("lib/drsformer/*.so"))]
    run(sys.executable, CPP / "tests" / "check_symbols.py", f"--tools={BINUTILS[arch]}",
        "--header", prefix / "include" / "drsformer" / "derainer.h", "--size", MOST_BYTES[arch],
        *files, prefix / "bin" / "drs-derain")  # fmt: skip


def add_documents(arguments: argparse.Namespace, prefix: Path) -> None:
    models = prefix / "share" / "drsformer"
    models.mkdir(parents=True)
    (models / "demo_uint8.onnx").write_bytes(arguments.model.read_bytes())
    text = (CPP / "packaging" / "archive_README.md").read_text()
    text = text.replace("@VERSION@", project_version()).replace("@ARCH@", arguments.arch)
    (prefix / "README.md").write_text(text)
    for name in ("LICENSE", "NOTICE"):
        (prefix / name).write_bytes((ROOT / name).read_bytes())


def without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = MODIFIED
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def packed(prefix: Path, name: str) -> bytes:
    """Return the bytes of the archive, which depend on the files alone."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(prefix.rglob("*")):
            inside = f"{name}/{path.relative_to(prefix)}"
            archive.add(path, inside, recursive=False, filter=without_owner)
    return gzip.compress(tar.getvalue(), 9, mtime=0)


def note_sum(folder: Path, name: str, data: bytes) -> None:
    """Put the archive's line into SHA256SUMS, in the place of an older one."""
    sums = folder / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.exists() else []
    lines = [line for line in lines if not line.endswith(f"  {name}")]
    lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}")
    sums.write_text("\n".join(sorted(lines, key=lambda line: line.split()[-1])) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=tuple(TOOLCHAINS), required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--openvino-dir", type=Path)
    parser.add_argument("--jobs", default="2", help="compilers at a time")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"))
    arguments = parser.parse_args()
    name = f"drsformer-{project_version()}-linux-{arguments.arch}"
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / name
        install(arguments, Path(folder) / "build", prefix)
        check_symbols(arguments.arch, prefix)
        add_documents(arguments, prefix)
        data = packed(prefix, name)
    arguments.output.mkdir(parents=True, exist_ok=True)
    archive = arguments.output / f"{name}.tar.gz"
    archive.write_bytes(data)
    note_sum(arguments.output, archive.name, data)
    print(f"{archive}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
