"""The size, the threads and the tiles that candidates are compared at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchSetting:
    """One size to measure, and how.

    Attributes:
        height: height of the image, pixels.
        width: width of the image, pixels.
        threads: number of threads of each candidate.
        tile: side of the tiles, pixels; None for whole images.
        rounds: how often each candidate runs, after its warm-up.
    """

    height: int
    width: int
    threads: int
    tile: int | None
    rounds: int

    @property
    def title(self) -> str:
        """Such as "256x256, 2 threads, not tiled"."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        tiles = f"tiles of {self.tile}" if self.tile else "not tiled"
        return f"{self.height}x{self.width}, {threads}, {tiles}"
