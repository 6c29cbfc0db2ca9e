"""A bar chart of the cost of each group, as one SVG file."""

from collections.abc import Sequence
from html import escape

from .sensitivity import GroupCost

ROW_HEIGHT = 22  # pixels
LABELS, BARS, FIGURES = 260, 420, 200  # widths, pixels


def rms_error(psnr_db: float) -> float:
    """Return the root mean square error, of 255, that a PSNR stands for; 0 for an infinite one."""
    return float(255 * 10 ** (-psnr_db / 20))


def chart(costs: Sequence[GroupCost], title: str) -> str:
    """Draw a bar for each group: its root mean square error against float32, of 255."""
    errors = [rms_error(cost.quality.psnr_db) for cost in costs]
    longest = max([*errors, 1e-9])
    width, height = LABELS + BARS + FIGURES, ROW_HEIGHT * (len(costs) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="{ROW_HEIGHT}" font-weight="bold">{escape(title)}</text>',
        f'<text x="10" y="{2 * ROW_HEIGHT - 4}" fill="#666666">error of the output when only this '
        "group has the lower precision: RMS, of 255 (PSNR, top-k mismatch)</text>",
    ]
    for i, (cost, error) in enumerate(zip(costs, errors, strict=True)):
        top = ROW_HEIGHT * (i + 2) + 4
        length = max(1.0, BARS * error / longest)
        quality = cost.quality
        figures = f"{error:.3f}  ({quality.psnr_db:.1f} dB, {100 * quality.mismatch_rate:.2f} %)"
        parts += [
            f'<text x="{LABELS - 8}" y="{top + 13}" text-anchor="end">{escape(cost.group)}</text>',
            f'<rect x="{LABELS}" y="{top + 2}" width="{length:.1f}" height="{ROW_HEIGHT - 8}" '
            'fill="#2a78b5"/>',
            f'<text x="{LABELS + length + 6:.1f}" y="{top + 13}">{figures}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
