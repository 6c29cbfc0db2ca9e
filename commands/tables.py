"""The table that `drs-export evaluate` prints."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from drsformer.runtime.evaluation import ImageScores, mean_scores


def table_from_scores(scores: Sequence[ImageScores]) -> Table:
    """Return one line per image, and their mean."""
    table = Table("image", title="Y-PSNR, dB, and SSIM of the luma")
    for column in ("rainy dB", "derained dB", "gain dB", "rainy SSIM", "derained SSIM"):
        table.add_column(column, justify="right")
    for one in scores:
        table.add_row(*_cells(one))
    table.add_section()
    table.add_row(*_cells(mean_scores(scores)))
    return table


def _cells(scores: ImageScores) -> tuple[Text | str, ...]:
    return (
        Text(scores.name),  # not markup: a name may hold square brackets
        f"{scores.rainy.psnr_db:.2f}",
        f"{scores.derained.psnr_db:.2f}",
        f"{scores.gain_db:+.2f}",
        f"{scores.rainy.ssim:.4f}",
        f"{scores.derained.ssim:.4f}",
    )
