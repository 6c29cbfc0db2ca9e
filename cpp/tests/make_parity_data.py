"""Write what Python derains, for test_parity to derain again: images, results and an index.

    python cpp/tests/make_parity_data.py OUT_DIR

Every backend that can be imported runs the demo checkpoint with float32, float16 and 8-bit input,
on nine sizes whole and on two in tiles; the larger of these once, and not with the slow float16.
Images are raw pixels, RGB without gaps, 16-bit ones in the machine's byte order. Nothing is done
where OUT_DIR is from the same package, libraries and script.
"""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import drsformer
import drsformer.calibration
import drsformer.export
import drsformer.runtime
from drsformer.calibration.mixed_precision import fp16_from_fp32
from drsformer.calibration.photos import shipped_photo
from drsformer.calibration.rain import rainy_from_clean, sample_rain
from drsformer.checkpoint import checkpoint_from_file
from drsformer.errors import DRSformerError
from drsformer.export.onnx_from_model import ExportSettings, onnx_from_model
from drsformer.export.uint8_io import with_uint8_io
from drsformer.runtime import Derainer

Size = tuple[int, int]  # height and width, pixels

WEIGHTS = Path(drsformer.__file__).parent / "weights" / "demo.safetensors"
CASES = Path(__file__).parents[2] / "tests" / "data" / "contract_cases.json"
INDEX = "parity.json"
THREADS = 2  # with another number, sums may be taken in another order
BACKENDS = {"cpu": "onnxruntime", "openvino": "openvino"}  # packages by provider
FIXED: Size = (64, 64)
# ordered so that the sizes that are padded to the same one follow each other
WHOLE: tuple[Size, ...] = (
    (1, 1), (2, 3), (8, 8), (3, 17), (37, 53), (64, 1), (255, 129), (256, 256), (321, 481),
)  # fmt: skip
TILED: tuple[Size, ...] = ((255, 129),)
LARGE_TILED: Size = (321, 481)
TILINGS = ((64, 32, "uniform"), (64, 32, "feather"), (128, 33, "feather"))
WITH_16_BITS: tuple[Size, ...] = ((37, 53),)
OTHER_THAN_FIXED: tuple[Size, ...] = ((37, 53), (1, 70), (130, 100))
IN_ALL_FORMATS: Size = (37, 53)  # these are derained as BGR, RGBA, and in place, too


@dataclass(frozen=True)
class Options:
    """How a model is opened: `tile` is 0 for the model's own choice, and -1 for whole images."""

    provider: str
    io: str
    fixed: bool = False
    tile: int = -1
    overlap: int = 32
    blend: str = "uniform"

    @property
    def model(self) -> str:
        """The file's name."""
        return f"demo.{self.io}.{'x'.join(map(str, FIXED)) if self.fixed else 'any'}.onnx"

    def opened(self, folder: Path) -> Derainer:
        """Open the model in Python."""
        tile = {0: None, -1: "whole"}.get(self.tile, self.tile)
        return Derainer(
            folder / self.model, provider=self.provider, threads=THREADS, tile=tile,
            overlap=self.overlap, blend=self.blend,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return what the index says of it."""
        return {
            "provider": self.provider, "io": self.io, "model": self.model, "tile": self.tile,
            "overlap": self.overlap, "blend": self.blend,
        }  # fmt: skip


def main(folder: Path) -> None:
    """Write all files, the index last."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / INDEX
    key = _key()
    if index.exists() and json.loads(index.read_text())["key"] == key:
        return
    index.unlink(missing_ok=True)
    versions = _versions()
    _write_models(folder)
    _write_rainy(folder)
    groups = [
        _derained(folder, number, options, list(images))
        for number, (options, images) in enumerate(_groups(versions))
    ]
    content = {
        "key": key, "threads": THREADS, "versions": versions, "groups": groups,
        "refusals": [each for provider in versions for each in _refusals(folder, provider)],
    }  # fmt: skip
    index.write_text(json.dumps(content, indent=1))


def _versions() -> dict[str, str]:
    """Return the version of each backend's library, by provider, of those that are installed."""
    found = {}
    for provider, package in BACKENDS.items():
        try:
            found[provider] = version(package)
        except PackageNotFoundError:
            logging.warning("%s is not installed; no results of it are made", package)
    return found


def _key() -> str:
    """Return what changes when the results may."""
    digest = sha256(json.dumps(_versions()).encode())
    rooms = (drsformer, drsformer.calibration, drsformer.export, drsformer.runtime)
    sources = {path for room in rooms for path in Path(room.__path__[0]).rglob("*.py")}
    for path in (*sorted(sources), WEIGHTS, CASES, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_models(folder: Path) -> None:
    checkpoint = checkpoint_from_file(WEIGHTS)
    for fixed in (False, True):
        height, width = FIXED if fixed else (None, None)
        settings = ExportSettings(height=height, width=width)
        proto = onnx_from_model(checkpoint.model(), settings, {})
        low = fp16_from_fp32(proto, low_io=True)
        models = {"float32": proto, "float16": low, "uint8": with_uint8_io(proto)}
        for io, made in models.items():
            onnx.save(made, folder / Options("cpu", io, fixed).model)


def _write_rainy(folder: Path) -> None:
    """Write parts of one rainy picture of four photographs, in 8 and 16 bits."""
    coffee, chelsea, rocket = map(shipped_photo, ("coffee", "chelsea", "rocket"))
    photos = np.block([[[coffee], [chelsea]], [[rocket], [coffee[::-1, ::-1]]]])
    rng = np.random.default_rng(7)
    rainy = rainy_from_clean(photos, sample_rain(rng, "heavy"), rng)
    deep = np.clip(rainy.astype(np.int64) * 257 + rng.integers(-128, 129, rainy.shape), 0, 65535)
    for size in {*WHOLE, *TILED, *WITH_16_BITS, *OTHER_THAN_FIXED, (64, 64), (13, 27), (100, 70)}:
        at = np.s_[100 : 100 + size[0], 20 : 20 + size[1]]
        rainy[at].tofile(folder / _rainy_name(size, 8))
        deep[at].astype(np.uint16).tofile(folder / _rainy_name(size, 16))


def _rainy_name(size: Size, bits: int) -> str:
    return f"rainy.{size[0]}x{size[1]}.{bits}.raw"


def _groups(providers: dict[str, str]) -> Iterator[tuple[Options, list[tuple[Size, int]]]]:
    """Yield how models are opened, and for each the images, as size and bits."""
    for provider in providers:
        for io in ("float32", "float16", "uint8"):
            bits = (8,) if io == "uint8" else (8, 16)
            yield Options(provider, io), [
                *((size, 8) for size in WHOLE), *((size, 16) for size in WITH_16_BITS if 16 in bits)
            ]  # fmt: skip
            for tile, overlap, blend in TILINGS:
                large = [LARGE_TILED] if tile == 128 and io != "float16" else []
                deep = [(size, 16) for size in TILED if tile == 128 and 16 in bits]
                images = [*((size, 8) for size in (*TILED, *large)), *deep]
                yield Options(provider, io, False, tile, overlap, blend), images
            blend = "uniform" if io == "uint8" else "feather"
            images = [(size, 8) for size in OTHER_THAN_FIXED]
            yield Options(provider, io, True, 0, 32, blend), images


def _derained(
    folder: Path, number: int, options: Options, images: list[tuple[Size, int]]
) -> dict[str, Any]:
    """Derain the images of a group; return it as the index has it."""
    cases = []
    with options.opened(folder) as derainer:
        for size, bits in images:
            rainy = _read(folder, size, bits)
            expected = f"expected.{number}.{size[0]}x{size[1]}.{bits}.raw"
            derainer.derain(rainy).tofile(folder / expected)
            cases.append(
                {"height": size[0], "width": size[1], "bits": bits, "expected": expected,
                 "rainy": _rainy_name(size, bits), "formats": size == IN_ALL_FORMATS}
            )  # fmt: skip
    return options.to_dict() | {"cases": cases}


def _read(folder: Path, size: Size, bits: int) -> NDArray[Any]:
    pixels = np.fromfile(folder / _rainy_name(size, bits), np.uint8 if bits == 8 else np.uint16)
    return pixels.reshape(*size, 3)


def _refusals(folder: Path, provider: str) -> Iterator[dict[str, Any]]:
    """Yield the contract's refusals that need a model, after checking that Python keeps them."""
    for case in json.loads(CASES.read_text())["refusals"]["cases"]:
        if case["kind"] != "image":
            continue
        assert case["fixed"] in (None, list(FIXED))
        options = Options(provider, case["model"], bool(case["fixed"]), case["tile"] or -1, 0)
        size, bits = (case["height"], case["width"]), 16 if case["dtype"] == "uint16" else 8
        with options.opened(folder) as derainer:
            try:
                derainer.derain(_read(folder, size, bits))
            except DRSformerError as error:
                assert case["reason"] in str(error), (case, error)
            else:
                raise AssertionError(case)
        yield options.to_dict() | {
            "height": size[0], "width": size[1], "bits": bits, "rainy": _rainy_name(size, bits),
            "reason": case["reason"],
        }  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_parity_data.py OUT_DIR")
    main(Path(sys.argv[1]))
