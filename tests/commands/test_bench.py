"""`drs-export bench`: candidates take turns, figures are right, the page needs no other file."""

import json
import re
import sys

import numpy as np
import pytest

from drsformer.commands.main import main
from drsformer.context import Context
from drsformer.errors import DRSformerError
from drsformer.measuring.bench.candidates import CANDIDATES, CandidateFiles
from drsformer.measuring.bench.machine import Peaks, Roofline
from drsformer.measuring.bench.measure import (
    CandidateResult,
    Comparison,
    measure,
    psnr_of_clamped,
)
from drsformer.measuring.bench.report import SettingResults, result_line
from drsformer.measuring.bench.setting import BenchSetting
from drsformer.measuring.bench.worker import Ready, TimedRun, Worker, peak_bytes


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


def test_every_candidate_has_its_figures(report):
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


def test_the_help_says_what_each_candidate_is(drs):
    code, out, _ = drs("bench", "--help")
    listed = re.findall(r"^    ([a-z0-9-]+)  +\S", out.split("Candidates")[1], re.MULTILINE)
    assert code == 0 and listed == list(CANDIDATES)


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

    def __init__(self, candidate):
        self.candidate = candidate
        self.seconds = iter({"plain": [4.0, 6.0, 8.0], "ort": [2.0, 2.0, 2.0]}[candidate.file])

    def start(self, *_):
        pass

    def ready(self):
        return Ready(np.full((1, 3, 8, 8), 0.5, np.float32), 1.0, 2.0)

    def run(self):
        self.order.append(self.candidate.title)
        seconds = next(self.seconds)
        return TimedRun(seconds, 0.9 * seconds)

    def stop(self):
        return type("Done", (), {"peak_bytes": 10**8})

    def kill(self):
        pass


def test_the_candidates_take_turns_and_ratios_are_within_a_round(monkeypatch):
    monkeypatch.setattr("drsformer.measuring.bench.measure.Worker", Scripted)
    monkeypatch.setattr(Scripted, "order", [])
    told = []
    plain, deployed = measure(
        Comparison(("plain", "deployed"), "plain", CandidateFiles(None)),
        None,
        BenchSetting(100, 200, 1, None, rounds=3),
        {"ort": Roofline(10**9, 5 * 10**8, Peaks(1e9, 2e9, 1e9))},
        Context(told.append, lambda done, total: told.append((done, total))),
    )
    assert told[:3] == [
        "opening plain",
        "opening deployed",
        "measuring 100x200, 1 thread, not tiled",
    ]
    assert told[3:] == [(done, 6) for done in range(6)]
    assert Scripted.order == [CANDIDATES[n].title for n in ("plain", "deployed")] * 3
    assert (plain.speedup, deployed.speedup, deployed.speedup_range) == (1, 3, (2, 4))
    assert deployed.outside_share == pytest.approx(0.1)
    assert deployed.megapixels_per_second == pytest.approx(0.01)
    assert (deployed.compute_share, deployed.bandwidth_share) == (0.5, 0.25)
    assert plain.compute_share is None and plain.psnr_db is None


def test_an_output_that_is_not_finite_is_refused_before_the_rounds(monkeypatch):
    class Broken(Scripted):
        def ready(self):
            return Ready(np.full((1, 3, 8, 8), np.nan, np.float32), 1.0, 2.0)

    monkeypatch.setattr("drsformer.measuring.bench.measure.Worker", Broken)
    comparison = Comparison(("plain",), "plain", CandidateFiles(None))
    with pytest.raises(DRSformerError, match="plain ONNX, ONNX Runtime: the output has NaN or Inf"):
        measure(comparison, None, BenchSetting(100, 200, 1, None, rounds=3), {})


def test_psnr_is_of_clamped_outputs_and_none_where_they_are_equal():
    reference = np.full((1, 3, 8, 8), 0.5, np.float32)
    assert psnr_of_clamped(reference, reference) is None
    assert psnr_of_clamped(reference + 1, reference + 2) is None
    assert psnr_of_clamped(reference - 0.25, reference) == pytest.approx(12.0412)


def figures_of(name, seconds, speedup, psnr_db):
    """Return a result that has these figures and zeros."""
    return CandidateResult(
        name, name, (seconds,), seconds, seconds, seconds, speedup, (speedup, speedup), 0, 0, 0, 0,
        psnr_db, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fast", "baseline", "line"),
    [
        (("b", 2.0, 2.0, 98.76), "a", "b is the fastest, 2 s an image, 2.00 times as fast as a; "
         "98.8 dB PSNR against a"),
        (("b", 2.0, 2.0, None), "a", "b is the fastest, 2 s an image, 2.00 times as fast as a; "
         "its output equals that of a"),
        (("b", 2.0, 1.0, 98.76), "b", "b is the fastest, 2 s an image, and the baseline; "
         "98.8 dB PSNR against a"),
        (("b", 8.0, 0.5, 98.76), "a", "a is the fastest, 4 s an image, and the baseline"),
    ],
)  # fmt: skip
def test_the_result_is_one_line(fast, baseline, line):
    results = (figures_of("a", 4.0, 1.0, None), figures_of(*fast))
    group = SettingResults(BenchSetting(100, 200, 2, 64, rounds=1), results)
    assert result_line(group, baseline) == f"100x200, 2 threads, tiles of 64: {line}"


def test_json_on_stdout_leaves_the_rest_to_stderr(drs, small_checkpoint):
    code, out, err = drs(
        "bench", small_checkpoint, "-c", "pytorch", "--size", "8x8", "--rounds", 1, "--json", "-",
        "-v",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["baseline"] == "pytorch"
    assert err.splitlines()[0].startswith("8x8, ") and "pytorch is the fastest" in err
    assert (
        "GFLOP/s in float32" in (told := " ".join(err.split())) and "seconds of each round" in told
    )


def test_a_size_that_fails_does_not_lose_the_one_before(
    drs, small_checkpoint, monkeypatch, tmp_path
):
    calls = []

    def fails_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise DRSformerError("out of memory")
        return measure(*arguments)

    monkeypatch.setattr("drsformer.commands.bench.measure", fails_at_the_second)
    arguments = ["-c", "pytorch", "--size", "8x8", "--size", "16x16", "--rounds", 1]
    code, out, err = drs("bench", small_checkpoint, *arguments, "--json", tmp_path / "b.json")
    assert code == 1 and "error: out of memory" in err
    assert out.startswith("8x8, ") and out.splitlines()[-1] == f"{tmp_path / 'b.json'}: the report"
    (group,) = json.loads((tmp_path / "b.json").read_text())["groups"]
    assert group["setting"]["height"] == 8


def test_a_process_that_dies_is_one_line(small_checkpoint):
    worker = Worker(CANDIDATES["pytorch"])
    setting = BenchSetting(8, 8, 1, None, rounds=1)
    worker.start(CandidateFiles(small_checkpoint), np.zeros((8, 8, 3), np.uint8), setting)
    worker.ready()
    worker.kill()
    with pytest.raises(DRSformerError, match="PyTorch eager: the process died"):
        worker.run()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "warp"], "unknown candidate 'warp'; expected some of pytorch,"),
        (["-c", "plain", "--baseline", "deployed"], "'deployed' is not among the candidates"),
        (["-c", "plain", "-c", "plain"], "named twice"),
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


@pytest.mark.parametrize("size", ["256", "0x8"])
def test_what_is_no_size_is_wrong_usage(drs, small_checkpoint, size):
    code, _, err = drs("bench", small_checkpoint, "--size", size)
    assert code == 2 and f"'{size}' is not a size; expected HEIGHTxWIDTH" in err
