"""`drs-export evaluate`: the table, the JSON, and folders that do not fit together."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drsformer.metrics import y_psnr, y_ssim
from drsformer.runtime import Derainer
from drsformer.runtime.media.pictures import read_image

from ..command import Outcome, drs_export
from ..samples import noise

HEIGHT, WIDTH = 37, 53


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two pairs: rainy images and their brighter targets."""
    for name, step in (("a", 10), ("b", 30)):
        rainy = noise(HEIGHT, WIDTH) // 2
        write(tmp_path / "input" / f"{name}.png", rainy)
        write(tmp_path / "target" / f"{name}.png", rainy + np.uint8(step))
    return tmp_path / "input", tmp_path / "target"


def write(path: Path, pixels: NDArray[np.generic]) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def assert_refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 1
    assert (outcome.out, len(outcome.err)) == ([], 1), outcome
    for word in words:
        assert word in outcome.err[0]


def test_the_models_outputs_are_measured(
    small_onnx: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    rainy, target = folders
    report = tmp_path / "report.json"
    outcome = drs_export("evaluate", small_onnx, *options(rainy, target), "--json", report)
    assert (outcome.code, outcome.err) == (0, [])
    found = json.loads(report.read_text())
    with Derainer(small_onnx) as derainer:
        derained = derainer.derain(read_image(rainy / "a.png").rgb)
    clean = read_image(target / "a.png").rgb
    assert found["derained_by"] == str(small_onnx)
    assert found["images"][0]["derained"] == {
        "psnr_db": pytest.approx(y_psnr(derained, clean)),
        "ssim": pytest.approx(y_ssim(derained, clean)),
    }


def options(rainy: Path, target: Path) -> tuple[object, ...]:
    return "--rainy", rainy, "--clean", target


def test_ready_made_outputs_are_measured_without_a_model(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    rainy, target = folders
    report = tmp_path / "report.json"
    command = ("evaluate", *options(rainy, target), "--derained", rainy, "--json", report)
    outcome = drs_export(*command)
    assert (outcome.code, outcome.err) == (0, [])
    found = json.loads(report.read_text())
    assert [image["name"] for image in found["images"]] == ["a", "b"]
    assert [image["gain_db"] for image in [*found["images"], found["mean"]]] == [0, 0, 0]
    assert found["images"][0]["rainy"] == found["images"][0]["derained"]


def test_the_table_holds_each_image_and_the_mean(folders: tuple[Path, Path]) -> None:
    rainy, target = folders
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", rainy)
    lines = [line.split() for line in outcome.out if line.startswith("│")]
    assert [line[1] for line in lines] == ["a", "b", "mean"]
    # dB are averaged as dB
    first, second, mean = (float(line[3]) for line in lines)
    assert mean == pytest.approx((first + second) / 2, abs=0.01)


def test_the_result_comes_first_in_one_line(folders: tuple[Path, Path]) -> None:
    outcome = drs_export("evaluate", *options(*folders), "--derained", folders[1])
    assert outcome.out[0].startswith("Y-PSNR +inf dB (from ")
    assert outcome.out[0].endswith("mean of 2 images")
    assert "SSIM 1.0000 (from " in outcome.out[0]


@pytest.mark.parametrize(("count", "verbose", "printed"), [(20, 0, 1), (21, 0, 0), (21, 1, 1)])
def test_a_long_table_needs_verbose(tmp_path: Path, count: int, verbose: int, printed: int) -> None:
    for number in range(count):
        folder = write(tmp_path / "images" / f"{number}.png", noise(12, 12)).parent
    command = ("evaluate", *options(folder, folder), "--derained", folder, *["-v"] * verbose)
    outcome = drs_export(*command)
    assert outcome.out[0].endswith(f"mean of {count} images")
    assert (len(outcome.out) > count) == bool(printed)


def test_json_on_stdout_is_alone_there(folders: tuple[Path, Path]) -> None:
    command = ("evaluate", *options(*folders), "--derained", folders[0], "--json", "-")
    outcome = drs_export(*command)
    assert json.loads("\n".join(outcome.out))["derained_by"] == str(folders[0])
    assert outcome.err[0].endswith("mean of 2 images")


def test_endings_may_differ(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rainy, target = folders
    for name in ("a", "b"):
        write(tmp_path / "bmp" / f"{name}.bmp", cv2.imread(str(target / f"{name}.png")))
    assert drs_export("evaluate", *options(rainy, tmp_path / "bmp"), "--derained", rainy).code == 0


def test_16_bit_images_are_measured_in_8_bits(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rainy, target = folders
    for name in ("a", "b"):
        pixels = cv2.imread(str(rainy / f"{name}.png")).astype(np.uint16) * 257
        write(tmp_path / "deep" / f"{name}.png", pixels)
    outcomes = [
        drs_export("evaluate", *options(folder, target), "--derained", folder)
        for folder in (rainy, tmp_path / "deep")
    ]
    assert outcomes[0] == outcomes[1]


def test_equal_images_are_inf_in_the_table_and_null_in_the_json(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    rainy, target = folders
    report = tmp_path / "report.json"
    command = ("evaluate", *options(rainy, target), "--derained", target, "--json", report)
    outcome = drs_export(*command)
    assert any("inf" in line for line in outcome.out)
    found = json.loads(report.read_text(), parse_constant=pytest.fail)
    assert found["mean"]["derained"] == {"psnr_db": None, "ssim": 1.0}
    assert found["mean"]["gain_db"] is None


def test_missing_counterparts_are_listed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rainy, target = folders
    for number in range(8):
        write(rainy / f"more{number}.png", noise(HEIGHT, WIDTH))
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", rainy)
    assert_refused(outcome, str(target), "counterparts of 8 images", "more0.png", "more4.png, ...")
    assert "more5.png" not in outcome.err[0]


def test_surplus_targets_are_listed_too(folders: tuple[Path, Path]) -> None:
    rainy, target = folders
    write(target / "c.png", noise(HEIGHT, WIDTH))
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", rainy)
    assert_refused(outcome, str(rainy), "c.png")


def test_missing_outputs_are_listed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rainy, target = folders
    write(tmp_path / "outputs" / "a.png", noise(HEIGHT, WIDTH))
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", tmp_path / "outputs")
    assert_refused(outcome, str(tmp_path / "outputs"), "b.png")


def test_two_files_of_one_name_are_refused(folders: tuple[Path, Path]) -> None:
    rainy, target = folders
    write(rainy / "a.bmp", noise(HEIGHT, WIDTH))
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", rainy)
    assert_refused(outcome, "a.bmp", "a.png", "share a name")


def test_a_pair_of_two_sizes_is_refused(folders: tuple[Path, Path]) -> None:
    rainy, target = folders
    write(target / "b.png", noise(WIDTH, HEIGHT))
    outcome = drs_export("evaluate", *options(rainy, target), "--derained", rainy)
    assert_refused(outcome, "53 x 37", "37 x 53", str(target / "b.png"))


def test_images_below_the_ssim_window_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "images" / "tiny.png", noise(10, 12)).parent
    outcome = drs_export("evaluate", *options(path, path), "--derained", path)
    assert_refused(outcome, "tiny.png", "at least 11 x 11")


def test_an_empty_folder_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = drs_export("evaluate", *options(folders[0], tmp_path / "empty"), "--derained", ".")
    assert_refused(outcome, str(tmp_path / "empty"), "no image")


@pytest.mark.parametrize("option", ["--rainy", "--clean", "--derained"])
def test_a_missing_folder_is_a_usage_error(folders: tuple[Path, Path], option: str) -> None:
    given = {"--rainy": folders[0], "--clean": folders[1], "--derained": folders[0]}
    given[option] = folders[0] / "missing"
    outcome = drs_export("evaluate", *(word for pair in given.items() for word in pair))
    assert (outcome.code, outcome.out, len(outcome.err)) == (2, [], 1)
    assert option in outcome.err[0] and str(given[option]) in outcome.err[0]


def test_a_bad_image_is_one_line_and_writes_no_json(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    rainy, target = folders
    (target / "b.png").write_bytes(b"")
    report = tmp_path / "report.json"
    command = ("evaluate", *options(rainy, target), "--derained", rainy, "--json", report)
    assert_refused(drs_export(*command), str(target / "b.png"), "empty")
    assert not report.exists()


@pytest.mark.parametrize("both", [True, False])
def test_model_and_outputs_exclude_each_other(folders: tuple[Path, Path], both: bool) -> None:
    rainy, target = folders
    extra = ("model.onnx", "--derained", rainy) if both else ()
    outcome = drs_export("evaluate", *extra, *options(rainy, target))
    assert outcome.code == 2
    assert "give either MODEL or --derained DIR" in outcome.err[-1]


def test_the_report_never_overwrites_the_model(small_onnx: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(small_onnx.read_bytes())
    for name in ("rainy", "clean"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), noise(16, 16))
    outcome = drs_export(
        "evaluate", model, "--rainy", tmp_path / "rainy", "--clean", tmp_path / "clean",
        "--json", model,
    )  # fmt: skip
    assert outcome.code == 1 and "never overwritten" in outcome.err[0]
    assert model.read_bytes() == small_onnx.read_bytes()
