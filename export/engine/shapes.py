"""Reads the input shapes of an engine as users write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drsformer.contract import CHANNELS, CONTRACT, Contract
from drsformer.engine.manifest import InputShape, Profile
from drsformer.errors import EngineError

# height, width, pixels
PRESETS = {"tile": (512, 512), "720p": (720, 1280), "1080p": (1080, 1920), "4k": (2160, 3840)}
DEFAULT_SHAPES = ("tile",)
LONGEST_SIDE = 2**15  # pixels
MOST_IMAGES = 1024
HINT = "expected HEIGHTxWIDTH, MIN:OPT:MAX such as 64x64:512x512:1088x1920, or one of "


@dataclass(frozen=True)
class SizeRange:
    """The smallest, usual and largest size of an image: (height, width) each, pixels."""

    min: tuple[int, int]
    opt: tuple[int, int]
    max: tuple[int, int]


def profiles_from_text(
    shapes: Sequence[str], batch: str, contract: Contract, fixed: Sequence[int | None]
) -> tuple[Profile, ...]:
    """Return the profiles that a user asked for.

    Args:
        shapes: each a preset, HEIGHTxWIDTH, or MIN:OPT:MAX of these.
        batch: a number of images, or MIN:OPT:MAX.
        contract: of the model; profiles have its layout.
        fixed: the model's input shape; None for an axis that takes any size.

    Raises:
        EngineError: a text has another form, a size is no multiple of 8, a range does not
            ascend, or the model's fixed sizes do not allow it.
    """
    images = _batches(batch)
    made = []
    for text in shapes or DEFAULT_SHAPES:
        sizes = _range(text)
        made.append(
            Profile(*(
                _laid_out(n, size, contract)
                for n, size in zip(images, (sizes.min, sizes.opt, sizes.max), strict=True)
            ))
        )  # fmt: skip
    for profile in made:
        _check_fixed(profile, fixed, contract)
    if len(set(made)) < len(made):
        raise EngineError(
            "the same shapes are given twice, so the second profile would never be used"
        )
    return tuple(made)


def _range(text: str) -> SizeRange:
    if text in PRESETS:
        return SizeRange(*[PRESETS[text]] * 3)
    parts = text.split(":")
    if len(parts) not in (1, 3):
        raise EngineError(f"shapes {text!r}: {HINT}{', '.join(PRESETS)}")
    sizes = [_size(part, text) for part in parts]
    made = SizeRange(*(sizes * 3 if len(sizes) == 1 else sizes))
    for i in range(2):
        if not made.min[i] <= made.opt[i] <= made.max[i]:
            raise EngineError(f"shapes {text!r} must ascend from MIN over OPT to MAX on each side")
    return made


def _size(part: str, text: str) -> tuple[int, int]:
    if part in PRESETS:
        return PRESETS[part]
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", part)
    if not match:
        raise EngineError(f"shapes {text!r}: {HINT}{', '.join(PRESETS)}")
    height, width = int(match[1]), int(match[2])
    multiple = CONTRACT.multiple_of
    for size in (height, width):
        if not multiple <= size <= LONGEST_SIDE or size % multiple:
            raise EngineError(
                f"shapes {text!r}: {size} must be a multiple of {multiple} from {multiple} to "
                f"{LONGEST_SIDE}; images of other sizes are padded to one"
            )
    return height, width


def _batches(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"([0-9]{1,5})(?::([0-9]{1,5}):([0-9]{1,5}))?", text)
    numbers = [int(n) for n in match.groups() if n] if match else []
    low, usual, high = numbers * 3 if len(numbers) == 1 else numbers or (0, 0, 0)
    if not 1 <= low <= usual <= high <= MOST_IMAGES:
        raise EngineError(
            f"batch {text!r}: expected a number of images from 1 to {MOST_IMAGES}, or an ascending "
            "MIN:OPT:MAX such as 1:1:4"
        )
    return low, usual, high


def _laid_out(images: int, size: tuple[int, int], contract: Contract) -> InputShape:
    sizes = {"N": images, "C": CHANNELS, "H": size[0], "W": size[1]}
    a, b, c, d = (sizes[axis] for axis in contract.layout)
    return a, b, c, d


def _check_fixed(profile: Profile, fixed: Sequence[int | None], contract: Contract) -> None:
    for axis, size, low, high in zip(contract.layout, fixed, profile.min, profile.max, strict=True):
        if size is not None and not low == high == size:
            raise EngineError(
                f"the model's {axis} is fixed to {size}, and the engine is asked for {low} to "
                f"{high}; ask for {size}, or export the model with free sizes"
            )
