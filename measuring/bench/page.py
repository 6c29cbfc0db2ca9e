"""The report of a bench as one HTML page, without scripts and without anything to load."""

from collections.abc import Iterator, Sequence
from html import escape

from .measure import CandidateResult
from .report import COLUMNS, BenchReport, SettingResults, machine_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } .lead, .note { color: #57606a; }
.chart { display: grid; grid-template-columns: max-content 1fr max-content; gap: .35rem .8rem;
  align-items: center; margin: .5rem 0 1.5rem; }
.bar { height: 1.5rem; background: #4f83cc; position: relative; }
.bar.baseline { background: #7b838c; }
.dot { position: absolute; width: .5rem; height: .5rem; margin-left: -.25rem; border-radius: 50%;
  background: #fff; border: 1px solid #1b1f24; box-sizing: border-box; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
td:nth-child(6) { white-space: nowrap; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #d8dee4; }
th:first-child, td:first-child { text-align: left; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem; }
"""

READING = (
    ("PyTorch, plain, deployed", "PyTorch runs the checkpoint itself. Plain is PyTorch's own ONNX "
     "export of it; deployed is the graph that drs-export rewrites, exactly, to be fast in the "
     "runtime named, or, without a target, in any."),
    ("round", "the candidates run one after the other, round by round, so that a slow moment of "
     "the machine hits all of them. Loading and a first run that warms up are not counted."),
    ("speed-up", "how many times as fast as the baseline (the grey bar): the ratio within each "
     "round, of which the median is shown, and beside it the least and the most. It can differ "
     "from the ratio of the medians. Candidates whose ranges overlap are equally fast."),
    ("MP/s", "millions of pixels derained per second, image to image."),
    ("outside network", "share of the time spent on scaling, padding, tiling and rounding."),
    ("peak MB", "the most memory the candidate's process ever held, libraries included; 10^6 "
     "bytes."),
    ("PSNR dB", "how close the output is to the first candidate's, not to a clean picture: higher "
     "is closer. From 90 dB on it is the rounding of float32, from 50 dB on no eye can see it."),
    ("of peak arithmetic", "multiply-accumulates a second, as a share of what a large matrix "
     "product reached on this machine in the same run, in the candidate's own precision. Unknown "
     "(\u2013) for graphs that compute their sizes while they run."),
    ("of peak bandwidth", "bytes a second, as a share of what a large copy reached. The true share "
     "is larger: only inputs and outputs of convolutions and matrix products are counted."),
)  # fmt: skip


FLOAT32_DB, INVISIBLE_DB = 90, 50  # as `READING` says


def page_from_report(report: BenchReport) -> str:
    """Return the page as HTML."""
    network = report.network
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Bench of {escape(network['name'])}</title><style>{STYLE}</style>",
        f"<h1>How fast is {escape(network['name'])}?</h1>",
        f"<p class='lead'>The same deraining network ({network['parameters'] / 1e6:.1f} M "
        f"parameters, {escape(network['variant'])}) derained the same picture in "
        f"{_count(report)} ways, on {escape(machine_text(report))}.</p>",
    ]
    for group in report.groups:
        parts += _group(group, report)
    parts += ["<h2>How to read this</h2><dl>"]
    parts += [f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in READING]
    parts += ["</dl><h2>Made with</h2><p class='note'>"]
    parts += [escape(", ".join(f"{name} {v}" for name, v in report.versions.items()))]
    parts += [f"<br>checkpoint SHA-256 {escape(network['sha256'])}</p></html>"]
    return "\n".join(parts) + "\n"


def _count(report: BenchReport) -> int:
    return len({result.name for group in report.groups for result in group.results})


def _group(group: SettingResults, report: BenchReport) -> Iterator[str]:
    yield f"<h2>{escape(group.setting.title)}</h2>"
    yield f"<p>{escape(_outcome(group, report.baseline))}</p>"
    yield "<h3>Seconds per image</h3><p class='note'>Shorter is better. A bar is the median of "
    yield f"{group.setting.rounds} rounds, a dot is one round, grey is the baseline.</p>"
    yield from _time_chart(group.results, report.baseline)
    yield "<h3>Peak memory</h3><p class='note'>Shorter is better.</p>"
    yield from _memory_chart(group.results, report.baseline)
    yield _row(
        "th", ["candidate", *(column.title for column in COLUMNS)], "<div class='scroll'><table>"
    )
    for result in group.results:
        yield _row("td", [result.title, *(column.cell(result) for column in COLUMNS)])
    yield "</table></div>"


def _row(tag: str, cells: Sequence[str], before: str = "") -> str:
    return f"{before}<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in cells) + "</tr>"


def _time_chart(results: Sequence[CandidateResult], baseline: str) -> Iterator[str]:
    longest = max(result.slowest_seconds for result in results)
    yield "<div class='chart'>"
    for result in results:
        width = 100 * result.median_seconds / longest
        dots = "".join(
            f"<i class='dot' style='left:{100 * seconds / result.median_seconds:.2f}%;"
            f"top:{0.1 + 0.8 * round_ / max(1, len(result.seconds) - 1):.2f}rem'></i>"
            for round_, seconds in enumerate(result.seconds)
        )
        label = f"{result.median_seconds:.3g} s"
        if result.name != baseline:
            label += f", {result.speedup:.2f}x"
        yield _bar(result, baseline, width, label, dots)
    yield "</div>"


def _memory_chart(results: Sequence[CandidateResult], baseline: str) -> Iterator[str]:
    most = max(result.peak_bytes for result in results)
    yield "<div class='chart'>"
    for result in results:
        width = 100 * result.peak_bytes / most
        yield _bar(result, baseline, width, f"{result.peak_bytes / 1e6:,.0f} MB")
    yield "</div>"


def _bar(result: CandidateResult, baseline: str, width: float, label: str, dots: str = "") -> str:
    kind = " baseline" if result.name == baseline else ""
    return (
        f"<div>{escape(result.title)}</div>"
        f"<div><div class='bar{kind}' style='width:{width:.2f}%'>{dots}</div></div>"
        f"<div>{escape(label)}</div>"
    )


def _outcome(group: SettingResults, baseline: str) -> str:
    """Say which candidate is the fastest, by how much, and how close its output is."""
    best, base = group.fastest, group.result_of(baseline)
    if best is base:
        return f"Fastest is the baseline, {best.title}: {best.median_seconds:.3g} s."
    least, most = best.speedup_range
    close = "its output equals the first candidate's"
    if best.psnr_db is not None:
        close = f"its output differs by {best.psnr_db:.0f} dB, {_meaning(best.psnr_db)}"
    return (
        f"Fastest is {best.title}: {best.median_seconds:.3g} s where {base.title} takes "
        f"{base.median_seconds:.3g} s, {best.speedup:.2f} times as fast ({least:.2f} to {most:.2f} "
        f"in single rounds), with {best.peak_bytes / 1e9:.1f} instead of "
        f"{base.peak_bytes / 1e9:.1f} GB of memory; {close}."
    )


def _meaning(psnr_db: float) -> str:
    """Say what a PSNR means to the eye."""
    if psnr_db >= FLOAT32_DB:
        return "which is the rounding of float32"
    return "which no eye can see" if psnr_db >= INVISIBLE_DB else "which may be visible"
