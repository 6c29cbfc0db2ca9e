"""`drs-export bench`: contenders in turn, honest figures, a page that stands alone."""

import json
import re
import sys

import numpy as np
import pytest

from drsformer.commands.main import main
from drsformer.errors import DRSformerError
from drsformer.measuring.bench.candidates import CONTENDERS, Files
from drsformer.measuring.bench.machine import Peaks
from drsformer.measuring.bench.measure import Floor, Setting, measure
from drsformer.measuring.bench.worker import Ready, Run, Worker, peak_bytes


@pytest.fixture(scope="module")
def report(small_checkpoint, tmp_path_factory):
    """The JSON and the page of one bench; plain exports and compilers would take minutes."""
    folder = tmp_path_factory.mktemp("bench")
    names = ("pytorch", "deployed", "deployed-any", "openvino")
    arguments = ["bench", small_checkpoint, "--baseline", "deployed", "--rounds", 2, "--threads", 1]
    arguments += ["--size", "40x56", "--json", folder / "b.json", "--html", folder / "b.html"]
    arguments += [word for name in names for word in ("-c", name)]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", ["drs-export", *map(str, arguments)])
        main()
    assert not caught.value.code
    return json.loads((folder / "b.json").read_text()), (folder / "b.html").read_text()


def test_every_contender_has_its_figures(report):
    figures, _ = report
    (group,) = figures["groups"]
    names = [result["name"] for result in group["results"]]
    assert names == ["pytorch", "deployed", "deployed-any", "openvino"]
    for result in group["results"]:
        assert len(result["seconds"]) == 2 and result["median_seconds"] > 0
        assert 0 < result["outside_share"] < 1
        assert result["peak_bytes"] > 50e6
        assert result["psnr_db"] is None or result["psnr_db"] > 90
    assert group["results"][1]["speedup"] == 1
    shares = [result["compute_share"] for result in group["results"]]
    assert shares[0] is None and all(0 < share < 2 for share in shares[1:])
    assert figures["versions"]["onnxruntime"] and figures["machine"]["processor"]


def test_the_processes_memory_is_their_own(report):
    """A child of a large process must not report its parent's peak."""
    figures, _ = report
    peaks = [result["peak_bytes"] for result in figures["groups"][0]["results"]]
    assert len(set(peaks)) == len(peaks)
    ballast = np.ones(2**27)  # a GiB
    assert peak_bytes() > ballast.nbytes
    assert max(peaks) < ballast.nbytes


def test_the_page_stands_alone_and_shows_every_figure(report):
    figures, page = report
    assert "<script" not in page and not re.search(r"(src|href)=", page)
    for result in figures["groups"][0]["results"]:
        assert page.count(f">{result['title']}<") == 3  # two charts and the table
        assert f"{result['median_seconds']:.3g} s" in page
    assert figures["network"]["sha256"] in page and "How to read this" in page


class Scripted:
    """A worker whose figures are known; the class remembers who ran when."""

    order: list[str] = []

    def __init__(self, contender):
        self.name = contender.title
        self.seconds = iter({"plain": [4.0, 6.0, 8.0], "ort": [2.0, 2.0, 2.0]}[contender.file])

    def start(self, *_):
        pass

    def ready(self):
        return Ready(np.full((1, 3, 8, 8), 0.5, np.float32), 1.0, 2.0)

    def run(self):
        self.order.append(self.name)
        seconds = next(self.seconds)
        return Run(seconds, 0.9 * seconds)

    def stop(self):
        return type("Done", (), {"peak_bytes": 10**8})

    def kill(self):
        pass


def test_the_contenders_take_turns_and_ratios_are_within_a_round(monkeypatch):
    monkeypatch.setattr("drsformer.measuring.bench.measure.Worker", Scripted)
    plain, deployed = measure(
        ("plain", "deployed"),
        Files(None),
        None,
        Setting(100, 200, 1, None, rounds=3),
        baseline="plain",
        peaks=Peaks(1e9, 2e9, 1e9),
        floors={"ort": Floor(macs=10**9, float32_bytes=5 * 10**8)},
        on_run=lambda name: None,
    )
    assert Scripted.order == [CONTENDERS[n].title for n in ("plain", "deployed")] * 3
    assert (plain.speedup, deployed.speedup, deployed.speedup_range) == (1, 3, (2, 4))
    assert deployed.outside_share == pytest.approx(0.1)
    assert deployed.megapixels_per_second == pytest.approx(0.01)
    assert (deployed.compute_share, deployed.bandwidth_share) == (0.5, 0.25)
    assert plain.compute_share is None and plain.psnr_db is None


def test_a_size_that_fails_does_not_lose_the_one_before(
    drs, small_checkpoint, monkeypatch, tmp_path
):
    calls = []

    def fails_at_the_second(names, files, image, setting, **rest):
        calls.append(setting)
        if len(calls) == 2:
            raise DRSformerError("out of memory")
        return measure(names, files, image, setting, **rest)

    monkeypatch.setattr("drsformer.commands.bench.measure", fails_at_the_second)
    arguments = ["-c", "pytorch", "--size", "8x8", "--size", "16x16", "--rounds", 1]
    code, _, err = drs("bench", small_checkpoint, *arguments, "--json", tmp_path / "b.json")
    assert code == 1 and "error: out of memory" in err
    (group,) = json.loads((tmp_path / "b.json").read_text())["groups"]
    assert group["setting"]["height"] == 8


def test_a_process_that_dies_is_one_line(small_checkpoint):
    worker = Worker(CONTENDERS["pytorch"])
    worker.start(Files(small_checkpoint), np.zeros((8, 8, 3), np.uint8), 1, None)
    worker.ready()
    worker.kill()
    with pytest.raises(DRSformerError, match="PyTorch eager: the process died"):
        worker.run()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "warp"], "unknown contender 'warp'; expected some of pytorch,"),
        (["-c", "plain", "--baseline", "deployed"], "'deployed' is not among the contenders"),
        (["-c", "plain", "-c", "plain"], "named twice"),
        (["--size", "256"], "size is '256'; expected HEIGHTxWIDTH"),
        (["--size", "0x8"], "size is '0x8'"),
        (["-c", "cuda", "--size", "8x8"], "CUDA: provider 'cuda' is not in the installed"),
    ],
)
def test_what_cannot_be_measured_is_one_line(drs, small_checkpoint, arguments, message):
    code, _, err = drs("bench", small_checkpoint, *arguments)
    assert code == 1 and message in err and err.count("error: ") == 1 and "Traceback" not in err


def test_a_checkpoint_is_never_overwritten(drs, small_checkpoint):
    before = small_checkpoint.read_bytes()
    code, _, err = drs(
        "bench", small_checkpoint, "-c", "pytorch", "--size", "8x8", "--rounds", 1,
        "--json", small_checkpoint,
    )  # fmt: skip
    assert code == 1 and "error: " in err and small_checkpoint.read_bytes() == before
