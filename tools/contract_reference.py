"""The contract's arithmetic a second time: slow, in whole numbers and fractions, without numpy.

`make_contract_cases` takes its expected values from here, so that they do not come from the code
that they check. Nothing of the package is used; docs/files.md has the same rules in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

MULTIPLE = 8
LARGEST = {"uint8": 255, "uint16": 65535}


# ---- binary floating point, exactly ---------------------------------------------------------


@dataclass(frozen=True)
class FloatFormat:
    """A format of IEEE 754: a sign, then the exponent's bits, then the fraction's."""

    exponent_bits: int
    fraction_bits: int

    @property
    def bias(self) -> int:
        """Of the stored exponent."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def sign_bit(self) -> int:
        """The bit that says that a value is negative."""
        return 1 << (self.exponent_bits + self.fraction_bits)

    @property
    def infinity(self) -> int:
        """The bits of infinity."""
        return (2**self.exponent_bits - 1) << self.fraction_bits

    def bits_of(self, value: Fraction) -> int:
        """Return the bits of the nearest number; of two, of the even one."""
        if value < 0:
            return self.sign_bit | self.bits_of(-value)
        if value == 0:
            return 0
        exponent = value.numerator.bit_length() - value.denominator.bit_length()
        if Fraction(2) ** exponent > value:
            exponent -= 1
        exponent = max(exponent, 1 - self.bias)  # below that, numbers have fewer digits
        units = round(value / Fraction(2) ** (exponent - self.fraction_bits))  # half to even
        # a fraction that is rounded up to 2 carries into the exponent, as it should
        return min(units + ((exponent + self.bias - 1) << self.fraction_bits), self.infinity)

    def value_of(self, bits: int) -> Fraction:
        """Return the value of the bits of a finite number."""
        if bits & self.sign_bit:
            return -self.value_of(bits ^ self.sign_bit)
        stored, units = divmod(bits, 1 << self.fraction_bits)
        if stored:
            units += 1 << self.fraction_bits
        return units * Fraction(2) ** (max(stored, 1) - self.bias - self.fraction_bits)

    def rounded(self, value: Fraction) -> Fraction:
        """Return the nearest number of this format."""
        return self.value_of(self.bits_of(value))


FLOAT32 = FloatFormat(8, 23)
FLOAT16 = FloatFormat(5, 10)


# ---- images and levels ----------------------------------------------------------------------


def padded_length(length: int) -> int:
    """Return the next multiple of 8."""
    while length % MULTIPLE:
        length += 1
    return length


def reflected_source(index: int, length: int) -> int:
    """Return the pixel that `index` shows, where reflection goes to and fro over `length` pixels.

    Walks it step by step; the pixels at both ends are not repeated.
    """
    source, step = 0, 1
    for _ in range(index if length > 1 else 0):
        if not 0 <= source + step < length:
            step = -step
        source += step
    return source


def scaled(level: int, dtype: str) -> Fraction:
    """Return a level as the float32 that the network gets."""
    return FLOAT32.rounded(Fraction(level, LARGEST[dtype]))


def level_of(value: Fraction, dtype: str) -> int:
    """Return the level of a float32: clamped, multiplied in float32, rounded half to even."""
    return round(FLOAT32.rounded(min(max(value, Fraction(0)), Fraction(1)) * LARGEST[dtype]))


# ---- tiles ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How an image is cut; `exact` is the height and width of every tile, or None."""

    tile: int
    overlap: int
    blend: str
    exact: tuple[int, int] | None = None

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the tiles of a padded image."""
        if self.exact:
            return self.exact
        if self.blend == "feather":
            return min(self.tile, height), min(self.tile, width)
        return (min(self.tile, height, width),) * 2


@dataclass(frozen=True)
class AxisPlan:
    """Tiles along one axis; see `axis_plan`."""

    side: int
    starts: list[int]
    windows: list[list[int]]
    total: list[int]


def axis_plan(length: int, side: int, plan: Plan) -> AxisPlan:
    """Lay tiles over one axis and weigh their pixels, pixel by pixel."""
    starts, start = [], 0
    while start + side < length:
        starts.append(start)
        start += side - plan.overlap
    starts.append(length - side)
    here = [[s for s in starts if s <= pixel < s + side] for pixel in range(length)]

    def weight(start: int, pixel: int) -> int:
        if len(here[pixel]) == 1 or plan.blend == "uniform":
            return 1
        from_edge = min(pixel - start, start + side - 1 - pixel)
        return min(from_edge, plan.overlap) + 1

    windows = [[weight(start, start + i) for i in range(side)] for start in starts]
    total = [sum(weight(start, pixel) for start in here[pixel]) for pixel in range(length)]
    return AxisPlan(side, starts, windows, total)


def axes_of(plan: Plan, height: int, width: int) -> tuple[AxisPlan, AxisPlan]:
    """Return the axes of height and of width of a padded image."""
    tall, wide = plan.sides(height, width)
    return axis_plan(height, tall, plan), axis_plan(width, wide, plan)


# ---- models that do not take every size -----------------------------------------------------


def enlarged(size: Sequence[int], least: Sequence[int]) -> list[int]:
    """Return height and width after small sides were padded for the model."""
    return [
        max(side, small) if small > MULTIPLE else side
        for side, small in zip(size, least, strict=True)
    ]


def plan_for(size: Sequence[int], most: Sequence[int], overlap: int, blend: str) -> Plan | None:
    """Return how an image is cut that is too large; None where it is not. In `most` 0 is any."""
    padded = [padded_length(side) for side in size]
    tiles = [min(side, large or side) for side, large in zip(padded, most, strict=True)]
    if tiles == padded:
        return None
    overlap = min(overlap, min(tiles) // 2)
    return Plan(max(tiles), overlap, blend, (tiles[0], tiles[1]))


# ---- joined tiles ---------------------------------------------------------------------------

Coefficients = Sequence[int]  # of the tile's number, y, x, channel, and a constant


def made_up(coefficients: Coefficients, number: int, y: int, x: int, channel: int) -> int:
    """Return the whole number from which a network's result is made, before any remainder."""
    a, b, c, d, e = coefficients
    return a * number + b * y + c * x + d * channel + e


def joined_pixels(plan: Plan, height: int, width: int, coefficients: Coefficients) -> list[int]:
    """Join the tiles of a network that gives levels; return (height, width, 3), flat."""
    rows, columns = axes_of(plan, padded_length(height), padded_length(width))
    levels = []
    for y in range(height):
        for x in range(width):
            tiles = _tiles_at(rows, columns, y, x)
            weights = sum(weight for weight, *_ in tiles)
            for channel in range(3):
                total = sum(
                    weight * (made_up(coefficients, *place, channel) % 256)
                    for weight, *place in tiles
                )
                levels.append(round(Fraction(total, weights)))
    return levels


def joined_floats(
    plan: Plan, height: int, width: int, coefficients: Coefficients
) -> list[Fraction]:
    """Join the tiles of a network that gives floats; return the means (height, width, 3), flat.

    Every product, sum and quotient is rounded to float32, in the order of the tiles.
    """
    rows, columns = axes_of(plan, padded_length(height), padded_length(width))
    means = []
    for y in range(height):
        for x in range(width):
            tiles = _tiles_at(rows, columns, y, x)
            weights = sum(weight for weight, *_ in tiles)
            for channel in range(3):
                total = Fraction(0)
                for weight, *place in tiles:
                    value = float_value(made_up(coefficients, *place, channel))
                    total = FLOAT32.rounded(total + FLOAT32.rounded(weight * value))
                means.append(FLOAT32.rounded(total / weights))
    return means


def float_value(number: int) -> Fraction:
    """Return the value that a float network gives: -0.5 to 1.5, in float32."""
    return FLOAT32.rounded(Fraction(number % 512 - 128, 255))


def _tiles_at(rows: AxisPlan, columns: AxisPlan, y: int, x: int) -> list[tuple[int, int, int, int]]:
    """Return, for each tile over a pixel: weight, number, and y and x within the tile."""
    return [
        (down[y - top] * across[x - left], i * len(columns.starts) + j, y - top, x - left)
        for i, (top, down) in enumerate(zip(rows.starts, rows.windows, strict=True))
        for j, (left, across) in enumerate(zip(columns.starts, columns.windows, strict=True))
        if top <= y < top + rows.side and left <= x < left + columns.side
    ]


def runs(values: Sequence[int]) -> list[list[int]]:
    """Return a list as [value, count] of each run of equal values."""
    return [[value, len(list(run))] for value, run in groupby(values)]
