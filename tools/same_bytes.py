"""Checks whether two versions of drs-export write the same files, byte for byte.

    OLD/bin/python tools/same_bytes.py make old --command OLD/bin/drs-export
    NEW/bin/python tools/same_bytes.py make new --command NEW/bin/drs-export
    NEW/bin/python tools/same_bytes.py compare old new

`make` exports the demo checkpoint and a full-size one (of `tests/fill_weights.py`) for every
runtime, calibrates the demo and converts it to every precision. `compare` masks the version that
a file says it was made by, and the SHA-256 of files that hold it.
"""

import re
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "drsformer/weights/demo.safetensors"
FORMS = ("any", "ort", "openvino")
PRECISIONS = ("fp16", "bf16", "int8", "fp8")
# what depends on the version: the version itself, and the hash of a file that contains it
MASKED = (
    rb"(drs_export_version(?:\": ?\"|\x12.))[0-9][0-9a-z.+]*",
    rb"((?:model|onnx|source)_sha256(?:\": ?\"|\x12@))[0-9a-f]{64}",
    rb"(drs-export\x1a.)[0-9][0-9a-z.+]*",  # ONNX's producer_version, behind producer_name
)


@click.group()
def main() -> None:
    """Make the files with one version, or compare those of two."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--command", default="drs-export", help="The version's drs-export.")
def make(folder: Path, command: str) -> None:
    """Write everything that is compared into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    told = subprocess.run([command, "onnx", "--help"], capture_output=True, text=True, check=True)
    option = "--runtime" if "--runtime" in told.stdout else "--target"  # 0.1.0 said --target
    full = folder / "full.pth"
    if not full.exists():
        full_checkpoint(full)
    for name, checkpoint in (("demo", DEMO), ("full", full)):
        for form in FORMS:
            run(command, "onnx", checkpoint, option, form, "-o", folder / f"{name}.{form}.onnx")
    demo, scales = folder / "demo.any.onnx", folder / "demo.scales.json"
    run(command, "onnx", DEMO, "--io", "uint8", "-o", folder / "demo.uint8.onnx")
    told = subprocess.run([command, "calibrate", "--help"], capture_output=True, text=True)
    side = "--crop" if "--crop" in told.stdout else "--size"  # 0.1.0 said --size
    run(command, "calibrate", demo, "--count", 4, side, 128, "-o", scales)
    for precision in PRECISIONS:
        output = folder / f"demo.{precision}.onnx"
        given = ("--scales", scales) if precision == "int8" else ()
        run(command, "convert", demo, f"--{precision}", *given, "-o", output)


def full_checkpoint(path: Path) -> None:
    """Write a checkpoint of the published size with weights that depend on names alone."""
    import torch

    from drsformer.config import DRSformerConfig
    from drsformer.model import DRSformer

    sys.path.insert(0, str(ROOT / "tests"))
    from fill_weights import fill

    with torch.device("meta"):
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in DRSformer(DRSformerConfig()).state_dict().items()
        }
    state = {name: torch.from_numpy(array) for name, array in fill(shapes).items()}
    torch.save({"params": state}, path)


def run(command: str, *arguments: object) -> None:
    """Run one command; show what it printed on stderr only if it fails."""
    words = [command, *map(str, arguments)]
    click.echo(" ".join(words))
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"exit code {done.returncode}: {done.stderr}")


@main.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
def compare(old: Path, new: Path) -> None:
    """Compare the models and scales of two folders."""
    names = sorted(
        path.name for path in old.iterdir() if path.name.endswith((".onnx", ".scales.json"))
    )
    if not names:
        raise click.ClickException(f"{old} holds nothing to compare; run `make` first")
    differing = [name for name in names if not same(old / name, new / name)]
    for name in names:
        click.echo(f"{'DIFFERS' if name in differing else 'same   '} {name}")
    click.echo(f"{len(names) - len(differing)} of {len(names)} are the same")
    if differing:
        raise SystemExit(1)


def same(old: Path, new: Path) -> bool:
    """Return whether two files are the same but for what is masked."""
    return new.exists() and masked(old.read_bytes()) == masked(new.read_bytes())


def masked(content: bytes) -> bytes:
    """Replace what depends on the version."""
    for pattern in MASKED:
        content = re.sub(pattern, rb"\1<masked>", content, flags=re.DOTALL)
    return content


if __name__ == "__main__":
    main()
