"""Install the package with PyTorch's CPU build, as `make` does; the standard library is enough.

    python tools/install.py -c constraints.txt -e '.[export]'

The public index has one build of torch for Linux, the CUDA build. With the 19 packages that only it
needs it is 2.7 GB to download; the CPU build is 0.2. PyTorch has CPU builds on an index of its own.
So torch is installed first and alone from there, and pip's ordinary install brings everything else.
With one command and two indexes, pip would choose between them for every package.

`--try-index URL` is asked once and quickly, unless pip's settings offer a CPU build or name another
index. Where it does not answer, the ordinary index is looked at, and if CUDA packages would come,
one line on stderr says so. `--torch-index URL` was named by the user: if torch cannot be installed
from there, that is an error. `--torch cuda` takes what the ordinary index has. All other arguments
are handed to `pip install`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
QUICK = ["--retries", "0", "--timeout", "5"]
LONGEST_ANSWER = 20  # seconds: a name with many addresses is tried at each of them
# a user's PIP_QUIET would hide the answers, and a buffer would hold them back
READABLE = os.environ | {"PIP_QUIET": "0", "PYTHONUNBUFFERED": "1"}
OWN_INDEX = re.compile(r"^\S*\.(index-url|no-index)=", re.MULTILINE)
# pip says "Collecting NAME" for an index, and "Processing PATH" for a file
CUDA_PACKAGE = re.compile(
    r"(Collecting |Processing .*/)(nvidia[-_]|triton\b|cuda[-_]toolkit\b)[^/]*$"
)
CUDA_COMES = (
    "PyTorch comes as its CUDA build here: about 2.7 GB to download instead of 0.2. To avoid that, "
    "stop now (Ctrl-C) and name an index of its CPU builds: make TORCH_INDEX=URL demo"
)


def main(arguments: list[str]) -> int:
    """Install, and return pip's exit code."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("-c", "--constraint", default="constraints.txt", metavar="FILE")
    parser.add_argument("--torch", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--torch-index", metavar="URL")
    parser.add_argument("--try-index", metavar="URL")
    options, for_pip = parser.parse_known_args(arguments)

    named = options.torch_index
    may_be_cuda = named or sys.platform == "linux"  # elsewhere the public index has CPU builds
    if options.torch == "cpu" and may_be_cuda and not is_installed(pinned(options.constraint)):
        code = install_torch(options.constraint, named, options.try_index)
        if code:
            return code
    return pip_install("-c", options.constraint, *for_pip)


def install_torch(constraint: str, named: str | None, to_try: str | None) -> int:
    """Install torch alone where its CPU build is; return an exit code that ends everything."""
    cpu_build = f"{pinned(constraint)}+cpu"
    if named:
        code = pip_install("-c", constraint, "--no-deps", "--index-url", named, "torch")
        if code:
            return code
        is_cpu = is_installed(cpu_build)
    else:  # what pip's settings offer comes by itself: pip prefers a version with a label
        is_cpu = offers(cpu_build) or install_from(to_try, cpu_build)
    if not is_cpu and brings_cuda(constraint):
        print(CUDA_COMES, file=sys.stderr, flush=True)
    return 0


def install_from(index: str | None, cpu_build: str) -> bool:
    """Install torch alone from an index that nobody named; say whether that was possible."""
    if not index or has_own_index() or not offers(cpu_build, "--index-url", index):
        return False
    # with pip's usual patience: a stall in a long download must not lead to a longer download
    return pip_install("--no-deps", "--index-url", index, f"torch=={cpu_build}") == 0


def pip_install(*arguments: str) -> int:
    """Run `pip install` with its progress on the terminal, and return its exit code."""
    return subprocess.run([*PIP, "install", *arguments]).returncode


def pinned(constraint: str) -> str:
    """Return the version of torch that the constraints ask for."""
    found = re.search(r"^torch==([\w.]+)", Path(constraint).read_text(encoding="utf-8"), re.M)
    if not found:
        sys.exit(f"{constraint} has no line torch==VERSION")
    return found[1]


def is_installed(wanted: str) -> bool:
    """Say whether torch is there in this version; a version without a label takes any label."""
    try:
        installed = version("torch")
    except PackageNotFoundError:
        return False
    return wanted in (installed, installed.split("+")[0])


def has_own_index() -> bool:
    """Say whether the user told pip, by its settings or PIP_INDEX_URL, where packages come from."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True)
    return bool(OWN_INDEX.search(listed.stdout))


def offers(wanted: str, *index: str) -> bool:
    """Say whether indexes that answer quickly have this version of torch for this Python."""
    command = [*PIP, "index", "versions", "torch", *index, *QUICK]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, env=READABLE, timeout=LONGEST_ANSWER
        )
    except subprocess.TimeoutExpired:
        return False
    return wanted in re.split(r"[\s,()]+", answer.stdout)


def brings_cuda(constraint: str) -> bool:
    """Say whether CUDA packages would come with torch from the user's ordinary index.

    A dry run of pip before 25.3 downloads every wheel when it has chosen them. So its lines are
    read, and it is stopped as soon as they answer the question. `fast-deps` is for indexes without
    metadata files: it reads the end of a wheel instead of all of it, where the server allows that.
    """
    command = [*PIP, "install", "--dry-run", "--use-feature=fast-deps", *QUICK]
    command += ["-c", constraint, "torch"]
    with TemporaryDirectory() as folder:  # a pip that is stopped leaves its files behind
        dry_run = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=READABLE | {"TMPDIR": folder},
        )
        with dry_run:
            answer = cuda_among(dry_run.stdout or ())
            dry_run.terminate()
        return answer


def cuda_among(lines: Iterable[str]) -> bool:
    """Read what a dry run of pip chooses until it names a CUDA package, or has chosen."""
    for line in lines:
        if CUDA_PACKAGE.match(line.strip()):
            return True
        if line.startswith("Downloading"):  # not indented: pip has chosen
            return False
        if re.match(r"\s+Downloading torch-.*\.whl \(", line):  # half a gigabyte: not in silence
            print(line.strip(), flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
