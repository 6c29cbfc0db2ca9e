"""Fits images of any size to a model that does not take every size.

A side shorter than the model takes is padded by reflection, and the result is cropped; a longer one
is cut into tiles of the longest side that the model takes. The network's attention looks at its
whole input, so both change the result (docs/numerics.md has the figures).
"""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from drsformer.contract import CONTRACT, SomeImage, padded_size

from .tiling import Blend, Tiling


@dataclass(frozen=True)
class Limits:
    """The sizes that a model takes, height and width, pixels.

    Attributes:
        least: the smallest sides.
        most: the largest sides; None where any is taken.
    """

    least: tuple[int, int] = (CONTRACT.multiple_of, CONTRACT.multiple_of)
    most: tuple[int | None, int | None] = (None, None)

    @property
    def any_size(self) -> bool:
        """Whether images of every size are taken whole."""
        return self.most == (None, None)

    def enlarged(self, image: SomeImage) -> SomeImage:
        """Return the image, padded by reflection on the right and the bottom where it is small."""
        padding = [
            (0, max(0, least - side) if least > CONTRACT.multiple_of else 0)
            for side, least in zip(image.shape[:2], self.least, strict=True)
        ]
        if padding == [(0, 0), (0, 0)]:
            return image
        return cast(SomeImage, np.pad(image, [*padding, (0, 0)], mode="reflect"))

    def tiling_for(self, image: SomeImage, overlap: int, blend: Blend) -> Tiling | None:
        """Return how to cut an image that is too large for the model; None where it is not."""
        size = padded_size(*image.shape[:2])
        if all(most is None or side <= most for side, most in zip(size, self.most, strict=True)):
            return None
        height, width = (
            side if most is None else min(side, most)
            for side, most in zip(size, self.most, strict=True)
        )
        overlap = min(overlap, min(height, width) // 2)
        tiling = Tiling(max(height, width), overlap, blend)
        return replace(tiling, exact=(height, width))

    def text(self) -> str:
        """Return "512x512", or "64 to 512 x 64 to any"."""
        sides = [
            str(least) if least == most else f"{least} to {most or 'any'}"
            for least, most in zip(self.least, self.most, strict=True)
        ]
        return ("x" if all(map(str.isdigit, sides)) else " x ").join(sides)
