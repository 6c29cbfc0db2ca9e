"""`drs-export run photo.jpg`: the package's model, outputs beside the inputs, checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from drsformer.commands.models import DEMO_MODEL, cache_folder, is_checkpoint
from drsformer.runtime import Derainer
from drsformer.runtime.derain_files import PREVIEW_SIDE
from drsformer.runtime.media.pictures import read_image

from ..command import drs_export
from ..runtime.media.test_videos import film, write_film
from ..samples import noise, write_model
from .test_run import assert_refused, names, write

CHECKPOINT = DEMO_MODEL.with_suffix(".safetensors")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_photo_alone_is_derained_by_the_packages_model(tmp_path: Path) -> None:
    photo = write(tmp_path / "photo.png")
    outcome = drs_export("run", photo)
    with Derainer(DEMO_MODEL) as derainer:
        expected = derainer.derain(read_image(photo).rgb)
    result = tmp_path / "photo.derained.png"
    np.testing.assert_array_equal(read_image(result).rgb, expected)
    assert outcome.code == 0 and outcome.out[0].startswith(f"{result}: derained 1 image (")
    (note,) = outcome.err
    assert "demo model" in note and "--compare" in note and "docs/checkpoints.md" in note


def test_it_needs_neither_torch_nor_onnx(tmp_path: Path) -> None:
    photo = write(tmp_path / "photo.png")
    hidden = "import sys; sys.modules.update(torch=None, onnx=None); "
    code = f"{hidden}from drsformer.commands.main import main; main()"
    command = [sys.executable, "-c", code, "run", str(photo)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, names(tmp_path)) == (0, ["photo.derained.png", "photo.png"])


def test_the_next_run_leaves_the_results_out(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    write_film(tmp_path / "v.avi", film(2))
    drs_export("run", model, tmp_path, "--compare")
    made = ["a.derained.compare.png", "a.derained.jpg", "v.derained.avi", "v.derained.compare.png"]
    assert names(tmp_path) == sorted(["a.jpg", "v.avi", *made])
    drs_export("run", model, tmp_path / "a.jpg", "--preview")
    for inputs in ([tmp_path], sorted(tmp_path.iterdir())):
        before = names(tmp_path)
        outcome = drs_export("run", model, *inputs, "--json", tmp_path / "r.json")
        assert outcome.code == 0 and "left out 5 files" in outcome.err[0]
        assert len(json.loads((tmp_path / "r.json").read_text())["derained"]) == 2
        (tmp_path / "r.json").unlink()
        assert names(tmp_path) == before


def test_with_output_a_named_result_is_derained(model: Path, tmp_path: Path) -> None:
    result = write(tmp_path / "a.derained.png")
    assert drs_export("run", model, result, "-o", tmp_path / "o").code == 0
    assert names(tmp_path / "o") == ["a.derained.png"]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("b.png", ["--format", "jpg"], "b.derained.jpg"),
        ("c.d.jpeg", [], "c.d.derained.jpeg"),
        ("e", ["--format", "png"], "e.derained.png"),
        ("f.tif", ["--preview"], "f.preview.png"),
    ],
)
def test_names_beside_the_inputs(
    model: Path, tmp_path: Path, name: str, arguments: list[str], expected: str
) -> None:
    source = tmp_path / name
    write(tmp_path / "any.png" if source.suffix == "" else source)
    if source.suffix == "":
        (tmp_path / "any.png").rename(source)
    assert drs_export("run", model, source, *arguments).code == 0
    assert names(tmp_path) == sorted([name, expected])


def test_two_formats_of_one_name_keep_apart(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "a.jpg")
    assert drs_export("run", model, tmp_path).code == 0
    assert {"a.derained.png", "a.derained.jpg"} < set(names(tmp_path))
    assert_refused(drs_export("run", model, tmp_path, "--format", "png"), "both be written")


def test_skip_existing_beside_the_inputs(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    drs_export("run", model, source)
    outcome = drs_export("run", model, source, "--skip-existing")
    assert "derained nothing, skipped 1" in outcome.out[0]


def test_a_preview_is_of_the_middle(model: Path, tmp_path: Path) -> None:
    pixels = noise(300, 410)
    source = write(tmp_path / "a.png", pixels)
    assert drs_export("run", model, source, "--preview").code == 0
    shown = read_image(tmp_path / "a.preview.png").rgb
    rainy = read_image(source).rgb[22 : 22 + PREVIEW_SIDE, 77 : 77 + PREVIEW_SIDE]
    np.testing.assert_array_equal(shown[-PREVIEW_SIDE:, :PREVIEW_SIDE], rainy)
    with Derainer(model) as derainer:
        derained = derainer.derain(rainy)
    np.testing.assert_array_equal(shown[-PREVIEW_SIDE:, -PREVIEW_SIDE:], derained)


def test_a_preview_of_a_video_is_one_frame(model: Path, tmp_path: Path) -> None:
    write_film(tmp_path / "v.avi", film(4))
    outcome = drs_export("run", model, tmp_path / "v.avi", "--preview")
    assert (outcome.code, names(tmp_path)) == (0, ["v.avi", "v.preview.png"])


def test_a_preview_of_a_video_without_frames_is_refused(model: Path, tmp_path: Path) -> None:
    write_film(tmp_path / "v.avi", film(4))
    with mock.patch("drsformer.runtime.media.videos.VideoReader.frames", lambda self: iter(())):
        outcome = drs_export("run", model, tmp_path / "v.avi", "--preview")
    assert outcome.code == 1 and "no frame can be decoded" in outcome.err[0]
    assert names(tmp_path) == ["v.avi"]


@pytest.mark.parametrize("option", [["--compare"], ["--format", "png"]])
def test_options_without_effect_are_refused(model: Path, tmp_path: Path, option: list[str]) -> None:
    source = write(tmp_path / "a.png")
    outcome = drs_export("run", model, source, "--preview", *option)
    assert outcome.code == 2 and "no effect" in outcome.err[-1]


def test_output_may_name_the_file_of_a_single_input(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    outcome = drs_export("run", model, source, "-o", tmp_path / "new" / "b.jpg")
    assert (outcome.code, names(tmp_path / "new")) == (0, ["b.jpg"])
    assert outcome.out[0].startswith(f"{tmp_path / 'new' / 'b.jpg'}: derained 1 image")
    for inputs, words in (
        ([source, source], "several inputs"),
        ([tmp_path], "several inputs"),
        ([source, "--format", "png"], "differ"),
        ([write_film(tmp_path / "v.avi", film(2))], "cannot hold"),
    ):
        outcome = drs_export("run", model, *inputs, "-o", tmp_path / "c.jpg")
        assert_refused(outcome, words)
    assert not (tmp_path / "c.jpg").exists()


def test_a_folder_may_be_called_like_a_file(model: Path, tmp_path: Path) -> None:
    (tmp_path / "b.jpg").mkdir()
    assert drs_export("run", model, write(tmp_path / "a.png"), "-o", tmp_path / "b.jpg").code == 0
    assert names(tmp_path / "b.jpg") == ["a.png"]


@pytest.mark.parametrize("arguments", [[""], ["a.png", "-o", ""]])
def test_an_empty_name_is_a_usage_error(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    outcome = drs_export("run", *arguments)
    assert outcome.code == 2 and "it is empty" in outcome.err[-1]
    assert names(tmp_path) == ["a.png"]


def test_what_is_neither_model_nor_picture_is_refused(tmp_path: Path) -> None:
    notes, photo = tmp_path / "notes.txt", write(tmp_path / "a.png")
    assert_refused(drs_export("run", notes, photo), "notes.txt does not exist")
    notes.write_text("no model")
    assert_refused(drs_export("run", notes, photo), "neither a model nor an image")
    assert names(tmp_path) == ["a.png", "notes.txt"]


@pytest.mark.parametrize("name", ["a.gif", "a.heic", "A.HEIC", "a.wmv"])
def test_a_format_that_is_not_read_is_not_taken_for_a_model(tmp_path: Path, name: str) -> None:
    other, photo = tmp_path / name, write(tmp_path / "b.png")
    other.write_bytes(b"GIF89a, or another")
    outcome = drs_export("run", other, photo)
    assert outcome.code == 1 and (tmp_path / "b.derained.png").is_file()
    assert name in outcome.err[-1] + outcome.err[0] and "PNG" in "".join(outcome.err)


def test_a_model_without_an_ending(model: Path, tmp_path: Path) -> None:
    unnamed = tmp_path / "unnamed"
    unnamed.write_bytes(model.read_bytes())
    assert drs_export("run", unnamed, write(tmp_path / "a.png")).code == 0


def test_a_damaged_export_in_the_cache_is_made_again(cache: Path, tmp_path: Path) -> None:
    photo = write(tmp_path / "a.png")
    drs_export("run", CHECKPOINT, photo)
    (exported,) = cache.rglob("*.onnx")
    whole = exported.read_bytes()
    exported.write_bytes(whole[:1000])
    outcome = drs_export("run", CHECKPOINT, photo)
    assert outcome.code == 0 and "exported" in outcome.err[0]
    assert exported.read_bytes() == whole


def test_without_a_cache_the_export_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    outcome = drs_export("run", CHECKPOINT, write(tmp_path / "a.png"))
    assert outcome.code == 0 and "cannot be written" in outcome.err[0]
    assert names(tmp_path) == ["a.derained.png", "a.png", "file"]


def test_a_relative_cache_folder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache_folder() == Path.home() / ".cache" / "drs-export"


def test_a_model_alone_is_a_usage_error(model: Path) -> None:
    outcome = drs_export("run", model)
    assert outcome.code == 2 and "give the images" in outcome.err[-1]


def test_a_folder_that_cannot_be_written_fails_before_the_work(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    with (
        mock.patch("tempfile.TemporaryFile", side_effect=PermissionError(13, "Permission denied")),
        mock.patch("drsformer.runtime.derain_files.read_image") as read,
    ):
        outcome = drs_export("run", model, source)
    assert outcome.code == 1 and "Permission denied" in outcome.err[0]
    read.assert_not_called()


def test_a_checkpoint_is_exported_once(cache: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "weights.bin"
    checkpoint.write_bytes(CHECKPOINT.read_bytes())
    photo = write(tmp_path / "a.png")
    first = drs_export("run", checkpoint, photo)
    (exported,) = cache.rglob("*.onnx")
    assert first.code == 0 and str(exported) in first.err[0]
    second = drs_export("run", checkpoint, photo, "-o", tmp_path / "o")
    assert (second.code, second.err) == (0, [])
    with Derainer(DEMO_MODEL) as derainer:
        expected = derainer.derain(read_image(photo).rgb)
    for result in (tmp_path / "a.derained.png", tmp_path / "o" / "a.png"):
        np.testing.assert_array_equal(read_image(result).rgb, expected)


def test_another_checkpoint_of_the_name_is_another_export(cache: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "w.pth"
    checkpoint.write_bytes(CHECKPOINT.read_bytes())
    photo = write(tmp_path / "a.png")
    drs_export("run", checkpoint, photo)
    content = bytearray(CHECKPOINT.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    checkpoint.write_bytes(content)
    assert "exported" in drs_export("run", checkpoint, photo).err[0]
    assert len(list(cache.rglob("*.onnx"))) == 2


def test_without_torch_a_checkpoint_names_the_extra(cache: Path, tmp_path: Path) -> None:
    hidden = "import sys; sys.modules.update(torch=None); "
    code = f"{hidden}from drsformer.commands.main import main; main()"
    photo = write(tmp_path / "a.png")
    command = [sys.executable, "-c", code, "run", str(CHECKPOINT), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "checkpoint" in line and "the extra export" in line


@pytest.mark.parametrize("content", [b"", b"<html>", b"nonsense"])
def test_a_file_called_checkpoint_that_is_none(cache: Path, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "w.pth"
    bad.write_bytes(content)
    assert_refused(drs_export("run", bad, write(tmp_path / "a.png")), "w.pth")
    assert names(cache) == []


def test_weights_are_for_checkpoints(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    assert_refused(drs_export("run", model, source, "--weights", "params"), "--weights is for")


def test_kinds_are_told_by_content(model: Path, tmp_path: Path) -> None:
    unnamed = tmp_path / "unnamed"
    unnamed.write_bytes(CHECKPOINT.read_bytes())
    assert is_checkpoint(unnamed) and not is_checkpoint(model)
    assert not is_checkpoint(tmp_path / "missing.onnx")


def test_evaluate_takes_a_checkpoint(cache: Path, tmp_path: Path) -> None:
    write(tmp_path / "rainy" / "1.png")
    write(tmp_path / "clean" / "1.png")
    folders = ["--rainy", tmp_path / "rainy", "--clean", tmp_path / "clean"]
    outcome = drs_export("evaluate", CHECKPOINT, *folders)
    assert outcome.code == 0 and list(cache.rglob("*.onnx"))
