"""Reads the first directory of a TIFF structure, which TIFF files and EXIF metadata both are.

A structure is "II" or "MM" (the byte order), 42, and the place of the first directory. A directory
is a count, entries of 12 bytes (tag, type, count, value or its place), and the next one's place.
"""

import struct
from dataclasses import dataclass

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_SHORT, _LONG = 3, 4  # the types of 16-bit and of 32-bit values, the only ones needed here

_EXTRA_SAMPLES = 338  # the tag that says what alpha is
_PREMULTIPLIED, _PLAIN = 1, 2


@dataclass(frozen=True)
class Directory:
    """The 16-bit and 32-bit values of a directory.

    Attributes:
        byte_order: "<" or ">", as in `struct`.
        values: tag -> its first value, for 16-bit values stored in the entry itself.
        places: tag -> byte offset of that value.
        longs: the same as `values`, for 32-bit values.
        next_place: byte offset of the next directory; 0 if there is none.
    """

    byte_order: str
    values: dict[int, int]
    places: dict[int, int]
    longs: dict[int, int]
    next_place: int


def directory_from_bytes(data: bytes) -> Directory | None:
    """Return the first directory, or None where the bytes hold no complete one."""
    order = _BYTE_ORDERS.get(data[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        end = start + 2 + 12 * count
        entries = range(start + 2, end, 12)
        values, places = _short_values(data, order, entries)
        longs = _long_values(data, order, entries)
        (next_place,) = struct.unpack_from(order + "I", data, end)
    except struct.error:
        return None
    return Directory(order, values, places, longs, next_place)


def with_untouched_colours(tiff: bytes) -> bytes:
    """Return a TIFF file whose colours a decoder leaves alone.

    libtiff multiplies 8-bit colours by their alpha, which loses bits, unless the file says that
    its colours are multiplied already.
    """
    directory = directory_from_bytes(tiff)
    if directory is None or directory.values.get(_EXTRA_SAMPLES) != _PLAIN:
        return tiff
    changed = bytearray(tiff)
    place = directory.places[_EXTRA_SAMPLES]
    struct.pack_into(directory.byte_order + "H", changed, place, _PREMULTIPLIED)
    return bytes(changed)


def _short_values(data: bytes, order: str, entries: range) -> tuple[dict[int, int], dict[int, int]]:
    values: dict[int, int] = {}
    places: dict[int, int] = {}
    for entry in entries:
        tag, kind, _, value = struct.unpack_from(order + "HHIH", data, entry)
        if kind == _SHORT:
            values[tag], places[tag] = value, entry + 8
    return values, places


def _long_values(data: bytes, order: str, entries: range) -> dict[int, int]:
    found = (struct.unpack_from(order + "HHII", data, entry) for entry in entries)
    return {tag: value for tag, kind, _, value in found if kind == _LONG}
