"""`drs-export run`: many inputs, and every way one of them or the command can be wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drsformer.runtime import Derainer, whole_or_tiles
from drsformer.runtime.media.pictures import read_image
from drsformer.runtime.media.videos import VideoReader
from drsformer.runtime.memory_need import Need

from ..command import Outcome, drs_export
from ..places import folder_of_everyone, small_disk, without_root
from ..runtime.media.test_videos import film, write_film
from ..samples import noise, write_model

HEIGHT, WIDTH = 37, 53


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one convolution: what is tested here is what happens around it."""
    return write_model(tmp_path_factory.mktemp("model") / "model.onnx")


def write(path: Path, pixels: NDArray[np.generic] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), noise(HEIGHT, WIDTH) if pixels is None else pixels)
    return path


def names(folder: Path) -> list[str]:
    """Everything below a folder, hidden files too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def assert_refused(outcome: Outcome, *words: str, code: int = 1) -> None:
    """One clear line on stderr, nothing else."""
    assert outcome.code == code
    assert (len(outcome.out), len(outcome.err)) == (0, 1), outcome
    assert outcome.err[0].startswith("error: ")
    for word in words:
        assert word in outcome.err[0]


def test_an_image_is_derained_by_the_real_network(small_onnx: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    outcome = drs_export("run", small_onnx, source, "-o", tmp_path / "out")
    assert (outcome.code, outcome.err) == (0, [])
    with Derainer(small_onnx) as derainer:
        expected = derainer.derain(read_image(source).rgb)
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "a.png").rgb, expected)


def test_the_summary_is_one_line(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "b.png")
    outcome = drs_export("run", model, tmp_path / "a.png", tmp_path / "b.png", "-o", tmp_path / "o")
    assert outcome.out[0].startswith(f"{tmp_path / 'o'}: derained 2 images (0.00 MP in ")
    assert len(outcome.out) == 1


def test_the_json_says_what_became_of_each_input(model: Path, tmp_path: Path) -> None:
    good, done, bad = write(tmp_path / "a.png"), write(tmp_path / "b.png"), tmp_path / "c.png"
    film_file = write_film(tmp_path / "v.avi", film(2))
    out = write(tmp_path / "out" / "b.png").parent
    bad.touch()
    command = (
        "run",
        model,
        good,
        done,
        bad,
        film_file,
        "-o",
        out,
        "--skip-existing",
        "--json",
        "-",
    )
    outcome = drs_export(*command)
    found = json.loads("\n".join(outcome.out))
    assert found.pop("seconds") > 0
    assert found == {
        "model": str(model),
        "derained": [str(good), str(film_file)],
        "skipped": [str(done)],
        "failed": [
            {"input": str(bad), "error": f"{bad}: the file is empty (0 bytes); "
             "copy it again from its source"},
        ],
        "outputs": [str(out / "a.png"), str(out / "v.avi")],
        "pixels": HEIGHT * WIDTH + 2 * film(1)[0][:, :, 0].size,
    }  # fmt: skip
    assert outcome.code == 1 and "derained 1 image and 1 video" in outcome.err[0]


def test_the_json_never_overwrites_an_input(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    before = source.read_bytes()
    outcome = drs_export("run", model, source, "-o", tmp_path / "out", "--json", source)
    assert outcome.code == 1 and "never overwritten" in outcome.err[0]
    assert source.read_bytes() == before


def test_verbose_lists_the_outputs(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    outcome = drs_export("run", model, source, "-o", tmp_path / "out", "-v", "--compare")
    assert "".join(outcome.out[1:]).count("a.png") == 1
    assert "".join(outcome.out[1:]).count("a.compare.png") == 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.tif", "a.tiff", "a.bmp"])
def test_outputs_keep_name_and_format(model: Path, tmp_path: Path, name: str) -> None:
    source = write(tmp_path / name)
    assert drs_export("run", model, source, "-o", tmp_path / "out").code == 0
    assert names(tmp_path / "out") == [name]
    assert (tmp_path / "out" / name).read_bytes()[:2] == source.read_bytes()[:2]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_and_bits_are_kept(model: Path, tmp_path: Path, dtype: type) -> None:
    rainy = np.dstack([noise(HEIGHT, WIDTH, dtype), noise(WIDTH, HEIGHT, dtype)[:, :, 0].T])
    write(tmp_path / "a.png", rainy)
    assert drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "out").code == 0
    derained = cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert derained.dtype == dtype
    np.testing.assert_array_equal(derained[:, :, 3], rainy[:, :, 3])
    assert (derained[:, :, :3] != rainy[:, :, :3]).any()


def test_grey_stays_grey(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png", noise(HEIGHT, WIDTH)[:, :, 0])
    assert drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "out").code == 0
    derained = cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert derained.shape == (HEIGHT, WIDTH)


def test_folders_keep_their_structure_and_leave_out_the_rest(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("b.png", "sub/a.png", ".hidden.png", ".git/c.png", "sub/deep/d.jpg"):
        write(folder / name)
    (folder / "notes.txt").write_text("not an image")
    assert drs_export("run", model, folder, "-o", tmp_path / "out").code == 0
    assert names(tmp_path / "out") == ["b.png", "sub/a.png", "sub/deep/d.jpg"]


def test_an_output_folder_inside_the_input_is_not_derained_again(
    model: Path, tmp_path: Path
) -> None:
    write(tmp_path / "a.png")
    for _ in range(2):
        assert drs_export("run", model, tmp_path, "-o", tmp_path / "out").code == 0
    assert names(tmp_path) == ["a.png", "out/a.png"]


def test_format_changes_images_and_leaves_videos(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.bmp")
    write_film(tmp_path / "in" / "v.avi", film(2))
    assert drs_export("run", model, tmp_path / "in", "-o", tmp_path / "o", "--format=png").code == 0
    assert names(tmp_path / "o") == ["a.png", "v.avi"]


def test_format_decides_where_the_name_does_not(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png").rename(tmp_path / "a")
    assert_refused_file(drs_export("run", model, tmp_path / "a", "-o", tmp_path / "o"), "--format")
    command = ("run", model, tmp_path / "a", "-o", tmp_path / "o", "--format", "jpg")
    assert drs_export(*command).code == 0
    assert names(tmp_path / "o") == ["a.jpg"]


def test_skip_existing_resumes(model: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write(tmp_path / "in" / name)
    write(tmp_path / "out" / "a.png", np.zeros((1, 1, 3), np.uint8))
    kept = (tmp_path / "out" / "a.png").read_bytes()
    outcome = drs_export("run", model, tmp_path / "in", "-o", tmp_path / "out", "--skip-existing")
    assert "derained 1 image, skipped 1" in outcome.out[0]
    assert (tmp_path / "out" / "a.png").read_bytes() == kept
    assert names(tmp_path / "out") == ["a.png", "b.png"]


def test_without_skip_existing_outputs_are_replaced(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "out" / "a.png", np.zeros((1, 1, 3), np.uint8))
    assert drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "out").code == 0
    assert read_image(tmp_path / "out" / "a.png").rgb.shape == (HEIGHT, WIDTH, 3)


def test_compare_shows_both_unscaled(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jpg")
    command = ("run", model, source, "-o", tmp_path / "out", "--compare", "--format", "png")
    assert drs_export(*command).code == 0
    both = read_image(tmp_path / "out" / "a.compare.png").rgb[-HEIGHT:]
    np.testing.assert_array_equal(both[:, :WIDTH], read_image(source).rgb)
    np.testing.assert_array_equal(both[:, -WIDTH:], read_image(tmp_path / "out" / "a.png").rgb)


def test_a_video_is_derained_frame_by_frame(model: Path, tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", film(5), fps=12.5)
    outcome = drs_export("run", model, source, "-o", tmp_path / "out", "--compare")
    assert (outcome.code, outcome.err) == (0, ["note: the sound of videos is not kept"])
    assert names(tmp_path / "out") == ["a.compare.png", "a.mkv"]
    with VideoReader(tmp_path / "out" / "a.mkv") as reader, Derainer(model) as derainer:
        assert reader.fps == 12.5
        expected = [derainer.derain(frame) for frame in film(5)]
        np.testing.assert_array_equal(list(reader.frames()), expected)


def test_tiles_give_the_same_size(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    command = ("run", model, tmp_path / "a.png", "-o", tmp_path / "out", "--tile=16", "--overlap=4")
    assert drs_export(*command).code == 0
    assert read_image(tmp_path / "out" / "a.png").rgb.shape == (HEIGHT, WIDTH, 3)


# One bad input: the others are done, the bad one is listed, the exit code is 1.


def assert_refused_file(outcome: Outcome, *words: str) -> None:
    """One input failed: a line of summary and a line of error."""
    assert outcome.code == 1
    assert (len(outcome.out), len(outcome.err)) == (1, 1), outcome
    assert "failed 1" in outcome.out[0]
    assert outcome.err[0].startswith("error: ")
    for word in words:
        assert word in outcome.err[0]


def test_bad_files_are_listed_and_stop_nothing(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder / "a.png")
    write(folder / "z.png")
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("a line of text")
    outcome = drs_export("run", model, folder, tmp_path / "missing.png", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert names(tmp_path / "out") == ["a.png", "z.png"]
    assert "derained 2 images, failed 3" in outcome.out[0]
    assert [line.split(": ")[1] for line in outcome.err] == [
        str(folder / "empty.png"),
        str(folder / "text.png"),
        str(tmp_path / "missing.png"),
    ]


BAD_FILES = {
    "empty": (lambda path: path.write_bytes(b""), "empty (0 bytes)"),
    "cut off": (
        lambda path: path.write_bytes(write(path).read_bytes()[:-40]),
        "a damaged or cut-off PNG file",
    ),
    "text": (lambda path: path.write_text("a line of text"), "not a PNG"),
    "missing": (lambda path: None, "No such file or directory"),
    "loop of links": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_one_line_and_nothing_is_written(
    model: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare, reason = BAD_FILES[kind]
    prepare(tmp_path / "a.png")
    outcome = drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "new" / "out")
    assert_refused_file(outcome, f"error: {tmp_path / 'a.png'}: ", reason)
    assert not (tmp_path / "new").exists()
    assert capfd.readouterr() == ("", "")


def test_an_unreadable_file_is_one_line(model: Path) -> None:
    with folder_of_everyone() as folder:
        (folder / "model.onnx").write_bytes(model.read_bytes())
        write(folder / "a.png").chmod(0)
        with without_root():
            outcome = drs_export("run", folder / "model.onnx", folder / "a.png", "-o", folder / "o")
        assert_refused_file(outcome, "a.png: cannot be read: Permission denied")


def test_an_empty_video_is_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    outcome = drs_export("run", model, tmp_path / "a.mp4", "-o", tmp_path / "out")
    assert_refused_file(outcome, "a.mp4: the file is empty")
    assert not (tmp_path / "out").exists()


def test_a_cut_off_video_is_one_line_and_nothing_is_written(model: Path, tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.avi", film())
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 4])
    outcome = drs_export("run", model, source, "-o", tmp_path / "out", "--compare")
    assert_refused_file(outcome, "a.avi: cut off or damaged")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["same folder", "symbolic", "hard"])
def test_the_input_is_never_overwritten(model: Path, tmp_path: Path, link: str) -> None:
    source = write(tmp_path / "a.png")
    before = source.read_bytes()
    output = tmp_path
    if link != "same folder":
        output = tmp_path / "out"
        output.mkdir()
        (os.symlink if link == "symbolic" else os.link)(source, output / "a.png")
    outcome = drs_export("run", model, source, "-o", output, "--skip-existing")
    assert_refused_file(outcome, "is an input, and inputs are never overwritten")
    assert source.read_bytes() == before
    assert sorted(names(tmp_path)) == ["a.png"] + ["out/a.png"] * (link != "same folder")


def test_another_input_is_never_overwritten(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "in" / "sub" / "a.png")
    other = write(tmp_path / "out" / "sub" / "a.png")
    before = other.read_bytes()
    outcome = drs_export("run", model, tmp_path / "in", other, "-o", tmp_path / "out")
    assert_refused_file(outcome, str(tmp_path / "in"), "is an input")
    assert other.read_bytes() == before
    assert names(tmp_path / "out") == ["a.png", "sub/a.png"]


def test_alpha_is_not_lost_to_jpeg(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.dstack([noise(8, 8), noise(8, 8)[:, :, :1]]))
    command = ("run", model, tmp_path / "a.png", "-o", tmp_path / "out", "--format", "jpg")
    assert_refused_file(drs_export(*command), "JPEG holds no transparency")


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_what_is_larger_than_the_limit_is_one_line(model: Path, tmp_path: Path, name: str) -> None:
    if name == "a.png":
        write(tmp_path / name)
    else:
        write_film(tmp_path / name, film(3))
    command = ("run", model, tmp_path / name, "-o", tmp_path / "out")
    assert_refused_file(drs_export(*command, "--max-megapixels", "0.0001"), name, "limit is 0.0001")
    assert drs_export(*command).code == 0


def test_images_that_do_not_fit_are_tiled_unless_no_tile_insists(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.png", noise(200, 300))
    command = ("run", model, tmp_path / "a.png", "-o")
    with (
        mock.patch.object(whole_or_tiles, "free_memory", return_value=1),
        mock.patch.object(whole_or_tiles, "measured_need", return_value=Need(0, 1.0)),
    ):
        drs_export(*command, tmp_path / "cut")
        drs_export(*command, tmp_path / "insisted", "--no-tile")
    assert ["--no-tile" in record.message for record in caplog.records] == [True]
    drs_export(*command, tmp_path / "tiled", "--tile", "128")
    drs_export(*command, tmp_path / "whole")
    cut, insisted_on, tiled, whole = (
        (tmp_path / folder / "a.png").read_bytes()
        for folder in ("cut", "insisted", "tiled", "whole")
    )
    assert cut == tiled != whole == insisted_on


def test_tile_and_no_tile_exclude_each_other(model: Path, tmp_path: Path) -> None:
    outcome = drs_export("run", model, "a.png", "-o", tmp_path, "--tile", "64", "--no-tile")
    assert_refused(outcome, "--tile or --no-tile", code=2)


def test_out_of_memory_is_one_line(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with mock.patch.object(Derainer, "derain", side_effect=MemoryError):
        outcome = drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "out")
    assert_refused_file(outcome, "a.png", "--tile")


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_a_full_disk_is_one_line_and_leaves_nothing(model: Path, tmp_path: Path, name: str) -> None:
    if name == "a.png":
        write(tmp_path / name, noise(300, 300))
    else:
        write_film(tmp_path / name, [noise(240, 320)] * 3)
    with small_disk(tmp_path / "disk", kibibytes=64) as disk:
        outcome = drs_export("run", model, tmp_path / name, "-o", disk / "out")
        assert_refused_file(outcome, name, "cannot write")
        assert list(disk.iterdir()) == []


# The command itself is wrong: one line, exit code 1, nothing is written.


def test_two_inputs_for_one_output_are_refused_first(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "one" / "a.png")
    write(tmp_path / "two" / "a.png")
    outcome = drs_export("run", model, tmp_path / "one", tmp_path / "two", "-o", tmp_path / "out")
    assert_refused(outcome, str(tmp_path / "one" / "a.png"), str(tmp_path / "two" / "a.png"))
    assert not (tmp_path / "out").exists()


def test_an_input_given_twice_is_done_once(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png")
    command = ("run", model, tmp_path / "in", tmp_path / "in" / "a.png", "-o", tmp_path / "out")
    assert "derained 1 image" in drs_export(*command).out[0]


def test_an_empty_folder_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = drs_export("run", model, tmp_path / "in", "-o", tmp_path / "out")
    assert_refused(outcome, str(tmp_path / "in"), "holds no image or video")
    assert not (tmp_path / "out").exists()


def test_a_folder_onto_itself_is_refused(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    outcome = drs_export("run", model, tmp_path, "-o", tmp_path / "." / "x" / "..")
    assert_refused(outcome, "input and output")


def test_an_output_folder_below_a_file_is_refused(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    outcome = drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "file" / "out")
    assert_refused(outcome, "cannot write into the folder", "Not a directory", "--output")


def test_an_output_folder_without_permission_is_refused(model: Path) -> None:
    with folder_of_everyone() as folder:
        (folder / "model.onnx").write_bytes(model.read_bytes())
        write(folder / "a.png")
        (folder / "closed").mkdir(mode=0o555)
        with without_root():
            command = ("run", folder / "model.onnx", folder / "a.png", "-o", folder / "closed")
            outcome = drs_export(*command)
        assert_refused(outcome, "cannot write into the folder", "Permission denied")
        assert names(folder / "closed") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tile", "100"], ["tile is 100", "multiple of 8"]),
        (["--tile", "64", "--overlap", "64"], ["overlap is 64"]),
        (["--provider", "abacus"], ["abacus"]),
        (["--threads", "0"], ["threads is 0"]),
    ],
)
def test_unusable_options_are_refused_first(
    model: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    write(tmp_path / "a.png")
    outcome = drs_export("run", model, tmp_path / "a.png", "-o", tmp_path / "out", *options)
    assert_refused(outcome, *words)
    assert not (tmp_path / "out").exists()


def test_another_models_file_is_refused(tmp_path: Path) -> None:
    other = write_model(tmp_path / "other.onnx", contract=None)
    write(tmp_path / "a.png")
    outcome = drs_export("run", other, tmp_path / "a.png", "-o", tmp_path / "out")
    assert_refused(outcome, "other.onnx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--quality=0", "--quality=101", "--format=gif", "--blend=mix"])
def test_unknown_choices_are_usage_errors(model: Path, tmp_path: Path, option: str) -> None:
    outcome = drs_export("run", model, write(tmp_path / "a.png"), "-o", tmp_path / "out", option)
    assert outcome.code == 2
    assert option.split("=")[0] in outcome.err[-1]


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_ctrl_c_leaves_no_half_written_file(model: Path, tmp_path: Path, name: str) -> None:
    if name == "a.png":
        write(tmp_path / name)
    else:
        write_film(tmp_path / name, film())
    answers = [] if name == "a.png" else film(3)
    with mock.patch.object(Derainer, "derain", side_effect=[*answers, KeyboardInterrupt]):
        outcome = drs_export("run", model, tmp_path / name, "-o", tmp_path / "out")
    assert (outcome.code, len(outcome.err)) == (130, 1)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [("SIGINT", 130, "interrupted; no file was left half-written\n"), ("SIGTERM", 143, "")],
)
def test_a_real_signal_ends_the_process_cleanly(
    model: Path, tmp_path: Path, name: str, code: int, message: str
) -> None:
    write_film(tmp_path / "a.mkv", film(3))
    script = (
        "import os, signal, sys\n"
        "from drsformer.runtime import Derainer\n"
        f"Derainer.derain = lambda *_: os.kill(os.getpid(), signal.{name})\n"
        f"sys.argv = {['drs-export', 'run', str(model), str(tmp_path / 'a.mkv'), '-o', 'out']}\n"
        "from drsformer.commands.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)
    assert names(tmp_path) == ["a.mkv"]


def test_names_are_printed_as_they_are(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "[bold]a'.png"
    source.touch()
    outcome = drs_export("run", model, source, "-o", tmp_path / "out")
    assert_refused_file(outcome, f"{source}: the file is empty")


def test_a_network_that_gives_nan_is_an_error_not_a_picture(tmp_path: Path) -> None:
    broken = write_model(tmp_path / "nan.onnx", scale=float("nan"))
    outcome = drs_export("run", broken, write(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert (outcome.code, len(outcome.err)) == (1, 1) and "NaN or Inf" in outcome.err[0]
    assert not (tmp_path / "out").exists()


def test_the_model_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    model = write_model(tmp_path / "models" / "x.onnx")
    (tmp_path / "models" / "x.png").hardlink_to(model)
    before = model.read_bytes()
    outcome = drs_export("run", model, write(tmp_path / "x.png"), "-o", model.parent)
    assert outcome.code == 1 and "never overwritten" in outcome.err[0]
    assert model.read_bytes() == before


def test_a_pipe_is_refused_and_not_waited_for(model: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    outcome = drs_export("run", model, tmp_path / "pipe.png", "-o", tmp_path / "out")
    assert outcome.code == 1 and "not a regular file" in outcome.err[0]


def test_a_folder_that_may_not_be_entered_fails_alone(model: Path) -> None:
    with folder_of_everyone() as folder:
        (folder / "locked").mkdir(mode=0o700)
        readable = folder / "model.onnx"
        readable.write_bytes(model.read_bytes())
        readable.chmod(0o444)
        with without_root():
            outcome = drs_export("run", readable, folder / "locked" / "a.png", "-o", folder / "out")
    if os.geteuid() == 0:
        assert outcome.code == 1 and "Permission denied" in outcome.err[0]


def test_an_absurd_thread_count_is_refused(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png")
    outcome = drs_export("run", model, source, "-o", tmp_path / "out", "--threads", 2**31)
    assert_refused(outcome, "threads")


def test_a_link_that_leads_to_itself_is_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    inputs = [tmp_path / "loop", tmp_path / "loop" / "a.png"]
    done = drs_export("run", model, *inputs, "-o", tmp_path / "out")
    assert done.code == 1 and len(done.err) == 2
    assert all("Too many levels of symbolic links" in line for line in done.err)
    cv2.imwrite(str(tmp_path / "a.png"), noise(8, 8).astype(np.uint8))
    done = drs_export("run", model, tmp_path, "-o", tmp_path / "loop")
    assert done.code == 1 and "cannot write into the folder" in done.err[0]
