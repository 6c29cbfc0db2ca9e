"""Files appear whole or not at all, and never over an input."""

import os

import pytest

from drsformer.errors import DRSformerError, ExportError, one_line
from drsformer.files import check_readable, written_whole


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with written_whole(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists() and temporary.suffix == ".txt"
    assert path.read_text() == "all of it" and os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_neither_file_nor_folders(tmp_path, error):
    with pytest.raises(error), written_whole(tmp_path / "a" / "b" / "file") as temporary:
        temporary.write_text("half")
        raise error
    assert os.listdir(tmp_path) == []


def test_a_failure_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ValueError), written_whole(path) as temporary:
        temporary.write_text("new")
        raise ValueError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_an_input_is_never_overwritten_also_through_links(tmp_path, link):
    source = target = tmp_path / "input"
    source.write_text("precious")
    if link:
        target = tmp_path / "link"
        link(source, target)
    with (
        pytest.raises(DRSformerError, match="never overwritten"),
        written_whole(target, inputs=[source]) as temporary,
    ):
        temporary.write_text("new")
    assert source.read_text() == "precious"


def test_a_folder_in_the_way_is_found_before_the_work(tmp_path):
    with pytest.raises(DRSformerError, match="it is a folder"), written_whole(tmp_path):
        pytest.fail("the block must not run")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExportError, match="not a regular file"):
        check_readable(tmp_path / "pipe", ExportError, "give a file")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="file is empty; give another"):
        check_readable(tmp_path / "file", ExportError, "give another")


def test_one_line_has_no_breaks_no_controls_and_an_end():
    assert one_line("a\nb\x1b[31mc\t d") == "a b?[31mc d"
    assert len(one_line("x" * 10_000)) == 600


def test_an_error_about_something_else_is_not_about_the_output(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "out.txt"):
        (tmp_path / "missing.txt").read_text()
    assert caught.value.filename == str(tmp_path / "missing.txt")
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_the_temporary_file_is_about_the_output(tmp_path):
    with (
        pytest.raises(DRSformerError, match="cannot write .*out.txt: No such file"),
        written_whole(tmp_path / "out.txt") as temporary,
    ):
        temporary.unlink()
        temporary.read_text()
