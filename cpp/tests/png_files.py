"""Makes and takes apart PNG files chunk by chunk: kinds that OpenCV writes none of."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # fmt: skip


def chunk(name, data=b""):
    """Return the bytes of a chunk."""
    named = name.encode() + data
    return struct.pack(">I", len(data)) + named + struct.pack(">I", zlib.crc32(named))


def png(pixels, colour_type, *, chunks=(), interlaced=False, bits=None):
    """Return a PNG file of (H, W) or (H, W, channels) samples."""
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    height, width, _ = pixels.shape
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(pixels[y::high, x::wide]) for x, y, wide, high in passes)
    depth = bits or pixels.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    parts = [chunk("IHDR", header), *(chunk(name, data) for name, data in chunks)]
    parts += [chunk("IDAT", zlib.compress(rows)), chunk("IEND")]
    return SIGNATURE + b"".join(parts)


def chunks_of(data):
    """Return the (name, data) of each chunk."""
    found, place = [], len(SIGNATURE)
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        found.append((data[place + 4 : place + 8].decode(), data[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def header_of(data):
    """Return bits and colour type."""
    return data[24], data[25]


def _rows(pixels):
    if not pixels.size:
        return b""
    big = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">")))
    return b"".join(b"\0" + row.tobytes() for row in big)
