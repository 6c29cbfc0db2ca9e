"""The table that `drs-export evaluate` prints."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from drsformer.runtime.evaluation import Row, mean_row


def table_from_rows(rows: Sequence[Row]) -> Table:
    """Return one line per image, and their mean."""
    table = Table("image", title="Y-PSNR, dB, and SSIM of the luma")
    for column in ("rainy dB", "derained dB", "gain dB", "rainy SSIM", "derained SSIM"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*_cells(row))
    table.add_section()
    table.add_row(*_cells(mean_row(rows)))
    return table


def _cells(row: Row) -> tuple[Text | str, ...]:
    return (
        Text(row.name),  # not markup: a name may hold square brackets
        f"{row.rainy.psnr_db:.2f}",
        f"{row.derained.psnr_db:.2f}",
        f"{row.gain_db:+.2f}",
        f"{row.rainy.ssim:.4f}",
        f"{row.derained.ssim:.4f}",
    )
