"""A bench's report as one HTML page: no script, nothing loaded, readable by anyone."""

from collections.abc import Iterator, Sequence
from html import escape

from .measure import Result
from .report import COLUMNS, Group, Report, setting_title

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } .lead, .note { color: #57606a; }
.chart { display: grid; grid-template-columns: max-content 1fr; gap: .35rem .8rem;
  align-items: center; margin: .5rem 0 1.5rem; }
.bar { height: 1.5rem; background: #8fb4e8; position: relative; white-space: nowrap; }
.bar.baseline { background: #b8bfc7; }
.bar span { position: absolute; left: calc(100% + .4rem); }
.dot { position: absolute; top: .45rem; width: .5rem; height: .6rem; margin-left: -.25rem;
  border-radius: 50%; background: #1b1f24aa; }
.plot { padding-right: 9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #d8dee4; }
th:first-child, td:first-child { text-align: left; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem; }
"""

READING = (
    ("speed-up", "how many times as fast as the baseline: the median of the ratios within each "
     "round. The contenders ran in turn, so a slow moment of the machine hits all of them."),
    ("MP/s", "millions of pixels derained per second, image to image."),
    ("outside network", "share of the time spent on scaling, padding, tiling and rounding."),
    ("peak MB", "the most memory the contender's process ever held, libraries included."),
    ("PSNR dB", "how close the output is to the first contender's; 90 dB is float32's own noise, "
     "50 dB cannot be seen."),
    ("of peak arithmetic, bandwidth", "what a large matrix product and a large copy reach on this "
     "machine is 100 %; for arithmetic the contender's own precision counts. Bandwidth takes every "
     "operator between two products for free, so it is a lower bound."),
)  # fmt: skip


def page_from_report(report: Report) -> str:
    """Return the page as HTML."""
    network = report.network
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Bench of {escape(network['name'])}</title><style>{STYLE}</style>",
        f"<h1>How fast is {escape(network['name'])}?</h1>",
        f"<p class='lead'>The same deraining network ({network['parameters'] / 1e6:.1f} M "
        f"parameters, {escape(network['variant'])}) run in {_count(report)} ways on the same "
        f"picture: {escape(_machine(report))}.</p>",
    ]
    for group in report.groups:
        parts += _group(group, report)
    parts += ["<h2>How to read this</h2><dl>"]
    parts += [f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in READING]
    parts += ["</dl><h2>Made with</h2><p class='note'>"]
    parts += [escape(", ".join(f"{name} {v}" for name, v in report.versions.items()))]
    parts += [f"<br>checkpoint SHA-256 {escape(network['sha256'])}</p></html>"]
    return "\n".join(parts) + "\n"


def _count(report: Report) -> int:
    return len({result.name for group in report.groups for result in group.results})


def _machine(report: Report) -> str:
    peaks = report.peaks
    return (
        f"{report.machine['processor']}, {report.machine['cores']} cores; at best "
        f"{2 * peaks.float32_macs / 1e9:.0f} GFLOP/s in float32, "
        f"{2 * peaks.bfloat16_macs / 1e9:.0f} in bfloat16, "
        f"{peaks.copy_bytes / 1e9:.0f} GB/s copied"
    )


def _group(group: Group, report: Report) -> Iterator[str]:
    yield f"<h2>{escape(setting_title(group.setting))}</h2>"
    yield "<h3>Seconds per image</h3><p class='note'>shorter is better; a dot is one round</p>"
    yield from _time_chart(group.results, report.baseline)
    yield "<h3>Peak memory</h3><p class='note'>shorter is better</p>"
    yield from _memory_chart(group.results, report.baseline)
    yield _row("th", ["contender", *(column.title for column in COLUMNS)], "<table>")
    for result in group.results:
        yield _row("td", [result.title, *(column.cell(result) for column in COLUMNS)])
    yield "</table>"


def _row(tag: str, cells: Sequence[str], before: str = "") -> str:
    return f"{before}<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in cells) + "</tr>"


def _time_chart(results: Sequence[Result], baseline: str) -> Iterator[str]:
    longest = max(result.slowest_seconds for result in results)
    yield "<div class='chart'>"
    for result in results:
        width = 100 * result.median_seconds / longest
        dots = "".join(
            f"<i class='dot' style='left:{100 * seconds / result.median_seconds:.2f}%'></i>"
            for seconds in result.seconds
        )
        label = f"{result.median_seconds:.3g} s"
        if result.name != baseline:
            label += f" ({result.speedup:.2f}x)"
        # the label stands clear of the dots
        clear = 100 * result.slowest_seconds / result.median_seconds
        yield _bar(result, baseline, width, f"{dots}<span style='left:calc({clear:.2f}% + .6rem)'>"
                   f"{escape(label)}</span>")  # fmt: skip
    yield "</div>"


def _memory_chart(results: Sequence[Result], baseline: str) -> Iterator[str]:
    most = max(result.peak_bytes for result in results)
    yield "<div class='chart'>"
    for result in results:
        width = 100 * result.peak_bytes / most
        yield _bar(result, baseline, width, f"<span>{result.peak_bytes / 1e6:,.0f} MB</span>")
    yield "</div>"


def _bar(result: Result, baseline: str, width: float, inside: str) -> str:
    kind = " baseline" if result.name == baseline else ""
    return (
        f"<div>{escape(result.title)}</div><div class='plot'>"
        f"<div class='bar{kind}' style='width:{width:.2f}%'>{inside}</div></div>"
    )
