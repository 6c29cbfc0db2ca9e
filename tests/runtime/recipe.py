"""The authors' inference recipe in torch, written from its description alone.

It shares no code with `drsformer`: agreement with the runtime is evidence about both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Network = Callable[[Tensor], Tensor]  # float32 (1, 3, H, W) in [0, 1] -> the same, not clamped


def bounced(index: int, length: int) -> int:
    """Return the pixel that `index` falls on, walking to and fro over `length` pixels."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)


def padded(x: Tensor) -> Tensor:
    """Reflect (N, C, H, W) right and bottom to multiples of 8, the edge not repeated."""
    height, width = x.shape[2:]
    bottom, right = -height % 8, -width % 8
    if bottom < height and right < width:  # where the authors' recipe is defined
        return F.pad(x, (0, right, 0, bottom), mode="reflect")
    rows = torch.tensor([bounced(i, height) for i in range(height + bottom)])
    columns = torch.tensor([bounced(i, width) for i in range(width + right)])
    return x[:, :, rows][:, :, :, columns]


def input_from_image(image: NDArray[np.generic]) -> Tensor:
    scale = 255 if image.dtype == np.uint8 else 65535
    pixels = torch.from_numpy(image.astype(np.int32))
    return padded(pixels.permute(2, 0, 1)[None].to(torch.float32) / scale)


def image_from_output(output: Tensor, like: NDArray[np.generic]) -> NDArray[np.generic]:
    scale = 255 if like.dtype == np.uint8 else 65535
    height, width, _ = like.shape
    levels = torch.round(torch.clamp(output, 0, 1)[:, :, :height, :width] * scale)
    return levels[0].permute(1, 2, 0).to(torch.int32).numpy().astype(like.dtype)


def whole(image: NDArray[np.generic], network: Network) -> NDArray[np.generic]:
    return image_from_output(network(input_from_image(image)), image)


def tiled(
    image: NDArray[np.generic], network: Network, tile: int, overlap: int
) -> NDArray[np.generic]:
    x = input_from_image(image)
    height, width = x.shape[2:]
    side = min(tile, height, width)
    stride = side - overlap
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    for top in [*range(0, height - side, stride), height - side]:
        for left in [*range(0, width - side, stride), width - side]:
            part = (..., slice(top, top + side), slice(left, left + side))
            total[part] += network(x[part].contiguous())
            count[part] += 1
    return image_from_output(total / count, image)
