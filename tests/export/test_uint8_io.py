"""A uint8 model gives, bit by bit, the pixels of the float32 model that it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from drsformer.calibration.mixed_precision import fp16_from_fp32
from drsformer.contract import (
    CONTRACTS,
    Pixels,
    contract_from_json,
    image_from_output,
    input_from_image,
)
from drsformer.errors import AgreementError, ExportError, ShapeError
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint, validate_file
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.export.uint8_io import check_uint8_io, with_uint8_io, without_uint8_io
from drsformer.runtime import Derainer
from drsformer.runtime.model import Model
from drsformer.runtime.options import RunOptions
from drsformer.runtime.tiles import derain_tiles
from drsformer.runtime.tiling import Tiling

from ..samples import noise


@pytest.fixture(scope="module")
def pairs(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Return by precision a file with float32 input and output, and one with uint8."""
    folder = tmp_path_factory.mktemp("pixels")
    made: dict[str, list[Path]] = {}
    proto = onnx.load(tiny_onnx)
    for name, model in (("fp32", proto), ("fp16", fp16_from_fp32(proto))):
        made[name] = [folder / f"{name}.onnx", folder / f"{name}.uint8.onnx"]
        onnx.save(model, made[name][0])
        onnx.save(with_uint8_io(model), made[name][1])
    return made


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_pixels_are_equal_on_fifty_random_sizes(
    pairs: dict[str, list[Path]], precision: str
) -> None:
    rng = np.random.default_rng(0)
    with (
        Derainer(pairs[precision][0], threads=1) as outside,
        Derainer(pairs[precision][1], threads=1) as inside,
    ):
        for _ in range(50):
            height, width = (int(n) for n in rng.integers(1, 60, 2))
            image = rng.integers(0, 256, (height, width, 3), np.uint8)
            assert np.array_equal(inside.derain(image), outside.derain(image)), (height, width)


def test_batches_are_equal_too(pairs: dict[str, list[Path]]) -> None:
    image = noise(40, 56)
    with Derainer(pairs["fp32"][0]) as outside, Derainer(pairs["fp32"][1]) as inside:
        a, b = (derainer.derain_batch([image, image])[1] for derainer in (outside, inside))
    assert np.array_equal(a, b)


def test_tiles_are_clamped_and_rounded_before_they_are_blended(
    pairs: dict[str, list[Path]],
) -> None:
    image, tiling = noise(40, 56), Tiling(32, 8)
    model = Model(pairs["fp32"][0], RunOptions("cpu"))

    def rounded(pixels: Pixels) -> Pixels:
        return image_from_output(model.run(input_from_image(pixels[0])), pixels[0])[None]

    expected = derain_tiles(image, rounded, tiling, None, pixels=True)
    with Derainer(pairs["fp32"][1], tile=32, overlap=8) as inside:
        assert np.array_equal(inside.derain(image), expected)


def test_sixteen_bits_are_refused(pairs: dict[str, list[Path]]) -> None:
    image = noise(40, 56).astype(np.uint16) * 256 + 3
    for tile in (None, 32):
        with (
            Derainer(pairs["fp32"][1], tile=tile, overlap=8) as derainer,
            pytest.raises(ShapeError, match="the model takes 8-bit pixels"),
        ):
            derainer.derain(image)


def test_taking_it_off_gives_back_the_same_bytes(tiny_onnx: Path) -> None:
    proto = onnx.load(tiny_onnx)
    again = without_uint8_io(with_uint8_io(proto))
    assert again.SerializeToString(deterministic=True) == proto.SerializeToString(
        deterministic=True
    )


def test_the_contract_says_what_goes_in(tiny_onnx: Path) -> None:
    made = with_uint8_io(onnx.load(tiny_onnx))
    metadata = {prop.key: prop.value for prop in made.metadata_props}
    assert contract_from_json(metadata["contract"], source="x") == CONTRACTS["uint8"]
    assert made.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert made.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_only_float32_ends_can_be_wrapped(tiny_onnx: Path) -> None:
    with pytest.raises(ExportError, match="with float16 input and output cannot get uint8 ones"):
        with_uint8_io(fp16_from_fp32(onnx.load(tiny_onnx), low_io=True))


def test_a_pixel_that_differs_is_found(tiny_onnx: Path) -> None:
    proto = with_uint8_io(onnx.load(tiny_onnx))
    for tensor in proto.graph.initializer:
        if tensor.name == "pixels.levels":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(254), tensor.name))
    with pytest.raises(AgreementError, match="pixels differ by up to"):
        check_uint8_io(proto, "x")


def test_an_export_with_pixels_is_validated_as_any_other(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    settings = ExportSettings(io="uint8", height=48, width=64, batch=2)
    made = onnx_from_checkpoint(tiny_checkpoint, tmp_path / "a.onnx", settings)
    assert made.report.passed
    report = validate_file(made.path, tiny_checkpoint)
    assert report.passed and len(report.rows) > 3
    with Derainer(made.path) as derainer:
        assert derainer.derain(noise(45, 61)).shape == (45, 61, 3)


def test_the_command_line_takes_it(drs, tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    code, _, err = drs("onnx", tiny_checkpoint, "-o", path, "--io", "uint8")
    assert code == 0, err
    code, out, err = drs("validate", path, "--checkpoint", tiny_checkpoint)
    assert code == 0, err
    code, _, err = drs("convert", path, "--fp16", "-o", tmp_path / "b.onnx")
    assert code == 1 and "takes uint8 pixels; convert the file" in err
