"""Sizes as the command line takes them: HEIGHTxWIDTH, in pixels."""

import re

import click

from drsformer.errors import ShapeError


def size_from_text(text: str) -> tuple[int, int]:
    """Return the height and the width that a text such as "256x384" names, pixels.

    Raises:
        ShapeError: the text is not of this form.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", text)
    if match is None:
        raise ShapeError(f"{text!r} is not a size; expected HEIGHTxWIDTH in pixels, as in 256x384")
    return int(match[1]), int(match[2])


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks
    """The type of `--size HxW`; the command gets (height, width)."""

    name = "size"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what the help shows; click would write it in capitals."""
        return "HxW"

    def convert(
        self,
        value: str | tuple[int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int]:
        """Parse the text; a default may be given as the two numbers."""
        if not isinstance(value, str):
            return value
        try:
            return size_from_text(value)
        except ShapeError as error:
            self.fail(f"{error}.", param, ctx)


SIZE = SizeType()
