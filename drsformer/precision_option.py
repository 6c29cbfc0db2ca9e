"""The flags --fp32, --fp16, --bf16, --int8 and --fp8, of which one can be given."""

import functools
from collections.abc import Callable
from typing import Any

import click

HELP = {
    "fp32": "Float32; TF32 is left to the library.",
    "fp16": "Convert to float16.",
    "bf16": "Convert to bfloat16 (opset 22).",
    "int8": "Quantise; the rest is float16.",
    "fp8": "Likewise, to float8 E4M3; SM 8.9 and newer.",
}


def precision_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add flags to a command, which gets the one given, or None, as its argument `precision`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_precision(**values: Any) -> None:
            given = [name for name in names if values.pop(name)]
            if len(given) > 1:
                raise click.UsageError(f"give one of {' and '.join(f'--{n}' for n in given)}.")
            command(precision=given[0] if given else None, **values)

        for name in reversed(names):
            with_precision = click.option(f"--{name}", is_flag=True, help=HELP[name])(
                with_precision
            )
        return with_precision

    return decorate
