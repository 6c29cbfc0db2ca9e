"""Check what a library needs of older systems, and what it shows to programs.

    python check_symbols.py --header derainer.h [--size BYTES] libdrsformer.so [FILE ...]

All must run on Ubuntu 22.04 (JetPack 6). The library exports what the header declares, and a module
one function; other files are programs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LIMITS = {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}  # of Ubuntu 22.04


def dynamic_symbols(path: Path, objdump: str) -> list[str]:
    """Return the lines that describe what a library exports and needs, without local symbols."""
    command = [objdump, "-T", str(path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if re.match(r"[0-9a-f]{8,} [^l]", line)]


def declared(header: Path) -> set[str]:
    """Return the names of the functions that a header declares for programs."""
    return set(re.findall(r"^DRS_API [^(]*?\b(drs_\w+)\(", header.read_text(), re.MULTILINE))


def too_new(lines: list[str]) -> set[str]:
    """Return the needed versions of system libraries that are beyond the limits."""
    found = set(re.findall(r"\b(GLIBC|GLIBCXX|CXXABI)_(\d[\d.]*)", "\n".join(lines)))
    return {
        f"{name}_{version}"
        for name, version in found
        if tuple(map(int, version.split("."))) > LIMITS[name]
    }


def exported(lines: list[str]) -> set[str]:
    return {line.split()[-1] for line in lines if "*UND*" not in line}


def stripped_size(path: Path, strip: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "stripped"
        subprocess.run([strip, "-o", str(result), str(path)], check=True)
        return result.stat().st_size


def expected_exports(path: Path, header: Path) -> set[str] | None:
    """Return what a file has to export; None for a program, where it does not matter."""
    module = re.fullmatch(r"libdrsformer_(\w+)\.so", path.name)
    if module:
        return {f"drs_backend_{module[1]}"}
    return declared(header) if ".so" in path.name else None


def problems(path: Path, arguments: argparse.Namespace) -> list[str]:
    lines = dynamic_symbols(path, arguments.tools + "objdump")
    found = [f"needs {version}, which Ubuntu 22.04 lacks" for version in sorted(too_new(lines))]
    expected = expected_exports(path, arguments.header)
    if expected is not None:
        found += [f"does not export {name}" for name in sorted(expected - exported(lines))]
        found += [f"exports {name}" for name in sorted(exported(lines) - expected)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--header", type=Path, required=True)
    parser.add_argument("--size", type=int, help="most bytes of the first file, stripped")
    parser.add_argument("--tools", default="", help="what binutils' names begin with")
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    found = [f"{path.name} {it}" for path in arguments.files for it in problems(path, arguments)]
    size = stripped_size(arguments.files[0], arguments.tools + "strip")
    print(f"{arguments.files[0].name} has {size:,} bytes, stripped")
    if arguments.size and size > arguments.size:
        found.append(f"{arguments.files[0].name}: {size:,} bytes are more than {arguments.size:,}")
    print("\n".join(found) or f"{len(arguments.files)} files: no problem found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
