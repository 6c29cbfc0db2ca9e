"""`convert`, `calibrate` and `sensitivity` as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from drsformer.calibration.crops import (
    crops_from_folder,
    samples_from_folder,
    synthetic_crops,
    synthetic_samples,
)
from drsformer.calibration.evaluate.evaluator import Quality
from drsformer.calibration.evaluate.sensitivity import GroupCost, groups_to_keep
from drsformer.calibration.quantize import quantized_from_fp32
from drsformer.calibration.scales import scales_from_file
from drsformer.commands.output import Output
from drsformer.commands.prerequisites import samples_of
from drsformer.errors import CalibrationError
from drsformer.runtime import Derainer

from ..samples import noise, write_overflowing


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small pairs in input/ and target/."""
    folder = tmp_path_factory.mktemp("pairs")
    for i in range(4):
        for name in ("input", "target"):
            (folder / name).mkdir(exist_ok=True)
            image = cv2.GaussianBlur(noise(48 + i, 56).astype(np.uint8), (0, 0), 2)
            streaks = 40 if name == "input" else 0
            cv2.line(image, (10 + i, 0), (20, 40), (255, 255, 255), 1 + streaks // 40)
            cv2.imwrite(str(folder / name / f"{i}.png"), image)
    return folder


@pytest.fixture(scope="module")
def scales(tiny_onnx: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from drsformer.calibration.scales_from_images import scales_from_images

    path = tmp_path_factory.mktemp("scales") / "scales.json"
    crops = crops_from_folder(pairs, count=4, side=32)
    path.write_text(scales_from_images(tiny_onnx, crops).to_json())
    return path


def one_line(err: str) -> str:
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


def test_a_checkpoint_becomes_a_measured_float16_file(
    drs, tiny_checkpoint, pairs, tmp_path
) -> None:
    output = tmp_path / "tiny.fp16.onnx"
    code, out, err = drs("convert", tiny_checkpoint, "--fp16", "-o", output, "--pairs", pairs)
    assert code == 0, err
    assert "agrees with the checkpoint" in err
    assert re.match(
        r".*tiny\.fp16\.onnx: [\d.]+ MB, [\d.]+ dB (below|above) fp32 on 4 images, ", out
    )
    assert "kept in a higher precision" not in out
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "tiny.fp16.onnx", "tiny.fp16.precision.json", "tiny.onnx", "tiny.validation.json",
    ]  # fmt: skip
    report = json.loads((tmp_path / "tiny.fp16.precision.json").read_text())
    assert report["precision"] == "fp16" and len(report["verdict"]["images"]) == 4
    fp32, fp16 = report["verdict"]["lines"]
    assert fp32["quality"] is None and fp16["size_bytes"] < 0.65 * fp32["size_bytes"]
    assert fp16["quality"]["y_psnr_drop_db"] is not None
    assert {one["part"] for one in report["kept"]} >= {"scores", "selection", "norm"}
    assert all(one["reason"] and one["module"] for one in report["kept"])
    with Derainer(output) as derainer:
        assert derainer.derain(noise(20, 30)).shape == (20, 30, 3)


def test_the_result_goes_to_stdout_as_json_alone(drs, tiny_onnx, pairs, tmp_path) -> None:
    output = tmp_path / "x.onnx"
    code, out, err = drs(
        "convert", tiny_onnx, "--fp16", "-o", output, "--images", pairs, "--json", "-"
    )
    assert code == 0, err
    report = json.loads((tmp_path / "x.precision.json").read_text())
    assert json.loads(out) == {"path": str(output), **report}
    assert "MB" in err and "measuring with 4 images" in err
    code, out, err = drs(
        "calibrate", tiny_onnx, "-o", tmp_path / "s.json", "--images", pairs, "--count", 4,
        "--crop", 32, "--json", "-",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads(out)
    assert result["scales"] == len(scales_from_file(tmp_path / "s.json").tensors)
    assert result["images"]["count"] == 4 and result["path"] == str(tmp_path / "s.json")


def test_the_same_conversion_gives_the_same_bytes(tiny_onnx, scales) -> None:
    proto, read = onnx.load(tiny_onnx), scales_from_file(scales)
    made = [
        quantized_from_fp32(proto, read).SerializeToString(deterministic=True) for _ in range(2)
    ]
    assert made[0] == made[1]


def test_int8_says_what_stayed_higher_and_where_scales_came_from(
    drs, tiny_onnx, pairs, scales, tmp_path
) -> None:
    output = tmp_path / "x.onnx"
    code, out, err = drs(
        "convert", tiny_onnx, "--int8", "--scales", scales, "-o", output, "--pairs", pairs, "-v"
    )
    assert code == 0, err
    told = " ".join(out.replace("│", " ").split())
    assert "feeds the scores that the top-k" in told and "depthwise" in told
    assert "entries of the masks that differ" in told
    metadata = {p.key: p.value for p in onnx.load(output).metadata_props}
    assert metadata["precision"] == "int8" and "input" not in metadata["calibration"][:9]
    assert json.loads(metadata["calibration"])["images"]["count"] == 4
    report = json.loads((tmp_path / "x.precision.json").read_text())
    assert [line["precision"] for line in report["verdict"]["lines"]] == ["fp32", "fp16", "int8"]
    code, out, _ = drs("inspect", output, "--json", "-")
    assert code == 0 and json.loads(out)["made by"]["precision"] == "int8"


def test_a_budget_keeps_the_worst_groups_in_float16_or_fails(
    drs, tiny_onnx, pairs, scales, tmp_path
) -> None:
    output = tmp_path / "x.onnx"
    arguments = [
        "convert",
        tiny_onnx,
        "--int8",
        "--scales",
        scales,
        "-o",
        output,
        "--pairs",
        pairs,
    ]
    code, _, err = drs(*arguments, "--min-psnr", 99)
    assert code == 1 and "float16 itself is beyond --min-psnr; allow more" in one_line(err)
    assert list(tmp_path.iterdir()) == []
    code, out, err = drs(*arguments, "--max-drop", 50)
    assert code == 0, err
    assert "kept in fp16 to stay within" not in out


def test_groups_are_kept_in_float16_worst_first_until_the_budget_is_met() -> None:
    def cost(name: str, drop: float) -> GroupCost:
        return GroupCost(name, (name,), 1, Quality(50.0, None, 0.0, 1, 30.0, drop, 0.0))

    costs = [cost("a", 0.1), cost("b", 0.3), cost("c", 0.2)]
    asked: list[list[str]] = []

    def drop_of(names) -> float:
        asked.append(list(names))
        return 0.6 - sum(c.quality.y_psnr_drop_db for c in costs if c.group in names)

    kept = groups_to_keep(costs, drop_of, 0.15)
    assert [c.group for c in kept] == ["b", "c"]
    assert asked == [[], ["b"], ["b", "c"]]


def test_calibrate_is_deterministic_and_bound_to_its_model(drs, tiny_onnx, pairs, tmp_path) -> None:
    texts = []
    for name in ("a.json", "b.json"):
        code, out, err = drs(
            "calibrate", tiny_onnx, "--images", pairs, "-o", tmp_path / name, "--count", 4,
            "--crop", 32, "--threads", 1,
        )  # fmt: skip
        assert code == 0, err
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] and "scales from 4 images" in out
    other = tmp_path / "other.onnx"
    proto = onnx.load(tiny_onnx)
    metadata = {p.key: p.value for p in proto.metadata_props}
    onnx.helper.set_model_props(proto, metadata | {"x": "y"})
    onnx.save(proto, other)
    code, _, err = drs(
        "convert", other, "--int8", "--scales", tmp_path / "a.json", "--pairs", pairs
    )
    assert code == 1 and "was made for another model" in one_line(err)


def test_sensitivity_shows_each_group_in_a_table_json_and_a_chart(
    drs, tiny_onnx, pairs, tmp_path, monkeypatch
) -> None:
    from drsformer.commands import sensitivity as cli

    monkeypatch.setattr(cli, "CROP_COUNT", 4)
    monkeypatch.setattr(cli, "CROP_SIDE", 32)
    figures, picture = tmp_path / "s.json", tmp_path / "s.svg"
    code, out, err = drs(
        "sensitivity", tiny_onnx, "--images", pairs, "--json", figures, "--chart", picture
    )
    assert code == 0, err
    groups = {g["group"]: g for g in json.loads(figures.read_text())["groups"]}
    assert {"patch_embed", "encoder_level1 qkv", "latent feed-forward in", "up4_3",
            "decoder_level1 feed-forward depthwise", "output"} <= set(groups)  # fmt: skip
    assert all(g["quality"]["psnr_db"] > 10 and g["weight_bytes"] > 0 for g in groups.values())
    told = " ".join(out.split())
    assert re.match(r"\S+: of \d+ groups, .* costs the most in int8: [\d.]+ dB PSNR", told)
    assert "groups that cost less are listed with -v" in told
    assert picture.read_text().count("<rect") == 1 + len(groups)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which precision: --fp16, --bf16, --int8 or --fp8"),
        (["--fp16", "--scales", "x.json"], "--scales, --max-drop and --min-psnr are for --int8"),
        (["--int8", "--max-drop", "1", "--min-psnr", "40"], "not both"),
        (["--int8", "--max-drop", "nan"], "--max-drop is nan; expected a number of dB"),
        (["--bf16", "--io", "float16"], "a bfloat16 model takes and gives float32 or uint8"),
        (["--fp16", "-o", "x.txt"], "x.txt must end in .onnx"),
    ],
)
def test_options_without_a_meaning_are_refused(
    drs, tiny_onnx, pairs, arguments, message, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = drs("convert", tiny_onnx, "--pairs", pairs, *arguments)
    assert code in (1, 2) and message in one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_a_largest_drop_needs_targets(drs, tiny_onnx, pairs, scales, tmp_path) -> None:
    code, _, err = drs(
        "convert", tiny_onnx, "--int8", "--scales", scales, "--max-drop", 1, "--pairs",
        pairs / "input", "-o", tmp_path / "x.onnx",
    )  # fmt: skip
    assert code == 1 and "measured against targets only" in one_line(err)


def test_no_few_and_small_images_are_refused(drs, tiny_onnx, tmp_path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()

    def refused(*more: object) -> str:
        output = tmp_path / "s.json"
        code, _, err = drs("calibrate", tiny_onnx, "--images", folder, "-o", output, *more)
        assert code == 1 and not output.exists()
        return one_line(err)

    assert "the folder holds no image" in refused()
    cv2.imwrite(str(folder / "0.png"), noise(300, 300))
    assert "has 1 images; calibration needs at least 4" in refused()
    for i in range(1, 4):
        cv2.imwrite(str(folder / f"{i}.png"), noise(300, 200))
    assert "200 x 300 pixels, smaller than a crop of 256 x 256" in refused()
    assert "3 crops are too few" in refused("--count", 3)
    assert "a crop of 60 pixels cannot be taken" in refused("--crop", 60)


def test_what_is_converted_already_is_refused(drs, tiny_onnx, pairs, tmp_path) -> None:
    made = tmp_path / "low.onnx"
    assert drs("convert", tiny_onnx, "--fp16", "-o", made, "--pairs", pairs)[0] == 0
    for command in (
        ["convert", made, "--int8", "--pairs", pairs],
        ["calibrate", made, "-o", tmp_path / "s.json"],
        ["sensitivity", made],
    ):
        code, _, err = drs(*command)
        assert code == 1 and "is in fp16 already; convert the float32 file" in one_line(err)
    code, _, err = drs("validate", made, "--checkpoint", "x.pth")
    assert code == 1


def test_an_input_is_never_overwritten(drs, tiny_onnx, pairs) -> None:
    before = tiny_onnx.read_bytes()
    code, _, err = drs("convert", tiny_onnx, "--fp16", "-o", tiny_onnx, "--pairs", pairs)
    assert code == 1 and "inputs are never overwritten" in one_line(err)
    assert tiny_onnx.read_bytes() == before


def with_output_bias(source: Path, path: Path, value: float) -> Path:
    """Write a copy of a model whose last convolution adds a constant."""
    proto = onnx.load(source)
    node = next(n for n in proto.graph.node if n.name == "output")
    node.input.append("huge")
    bias = np.full(3, value, np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(bias, "huge"))
    onnx.save(proto, path)
    return path


def test_weights_beyond_float16_are_named(drs, tiny_onnx, pairs, tmp_path) -> None:
    broken = with_output_bias(tiny_onnx, tmp_path / "broken.onnx", 1e6)
    code, _, err = drs("convert", broken, "--fp16", "--pairs", pairs)
    assert code == 1 and "huge holds 1e+06, beyond float16; convert with --bf16" in one_line(err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.onnx"]


def test_values_beyond_float16_are_an_error_not_a_black_image(
    drs, tiny_onnx, pairs, tmp_path
) -> None:
    broken = write_overflowing(tiny_onnx, tmp_path / "broken.onnx")
    code, _, err = drs("convert", broken, "--fp16", "--pairs", pairs)
    assert code == 1 and "gives NaN or Inf on 0 (56 x 48 pixels)" in one_line(err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.onnx"]


def test_synthetic_images_repeat_and_have_targets() -> None:
    first, again = synthetic_crops(4, 64), synthetic_crops(4, 64)
    assert first.sha256 == again.sha256 and "synthetic rain" in first.source
    assert all(
        s.clean is not None and s.rainy.shape == s.clean.shape for s in synthetic_samples(64)
    )


def test_samples_have_targets_only_where_there_are_some(pairs: Path) -> None:
    assert all(sample.clean is not None for sample in samples_from_folder(pairs))
    assert all(sample.clean is None for sample in samples_from_folder(pairs / "input"))


def test_pairs_are_measured_whole_and_of_images_the_middle_of_a_few(
    pairs: Path, tmp_path: Path, capsys
) -> None:
    images = [noise(48 + 2 * i, 24) for i in range(6)]
    for i, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{i}.png"), image[..., ::-1])
    samples = samples_of(None, tmp_path, Output(), 32)
    assert [sample.name for sample in samples] == ["0", "1", "2", "3"]
    for i, sample in enumerate(samples):
        assert np.array_equal(sample.rainy, images[i][8 + i : 40 + i])
    assert "measuring with 4 images" in (said := capsys.readouterr().err)
    assert "at most the middle 32 x 32 pixels" in said

    whole = samples_of(pairs, tmp_path, Output())
    some = samples_of(None, pairs, Output(), 32)
    assert len(whole) == len(list((pairs / "input").iterdir()))
    assert whole[0].rainy.shape == (48, 56, 3) and some[0].rainy.shape == (32, 32, 3)
    assert whole[0].clean is not None and some[0].clean is not None
    assert np.array_equal(some[0].clean, whole[0].clean[8:40, 12:44])


def test_crops_are_spread_over_images_and_places(pairs: Path) -> None:
    crops = crops_from_folder(pairs, count=8, side=32)
    assert len({image.tobytes() for image in crops.images}) == 8
    with pytest.raises(CalibrationError, match="smaller than a crop"):
        crops_from_folder(pairs, count=4, side=64)


@pytest.mark.parametrize("fixed", [("--size", "64x64"), ("--batch", 2)])
@pytest.mark.parametrize(
    "command", [("convert", "--fp16"), ("convert", "--int8"), ("sensitivity",)]
)
def test_a_model_of_a_fixed_size_is_refused_in_one_line(
    drs: Any, tiny_checkpoint: Path, tmp_path: Path, fixed: tuple[Any, ...], command: Any
) -> None:
    source = tmp_path / "fixed.onnx"
    assert drs("onnx", tiny_checkpoint, "-o", source, *fixed)[0] == 0
    code, _, err = drs(command[0], source, *command[1:])
    assert code == 1 and "Traceback" not in err
    assert re.search(r"the model takes \w+ only, .*export it with free sizes", err.splitlines()[-1])
