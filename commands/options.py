"""What the commands' options have in common: types, groups, and how they are passed on."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Options = TypeVar("Options")
Command = Callable[..., None]


class NamedPath(click.Path):
    """A path that is not empty: `""`, as of a variable that is not set, would be this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; see `click.ParamType`."""
        if value == "":
            self.fail("it is empty; expected the name of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


FILE = NamedPath(path_type=Path, dir_okay=False)
FOLDER = NamedPath(path_type=Path, exists=True, file_okay=False)
ANY_PATH = NamedPath(path_type=Path)

THREADS_HELP = "CPU threads.  [default: one per core]"
DEVICE_HELP = (
    "GPU to use, by its CUDA ordinal; for an engine, or --provider cuda or tensorrt.  "
    "[default: 0, the first]"
)
WEIGHTS_HELP = (
    "Which weights to take where a checkpoint has several, such as params_ema.  [default: params, "
    "else the first that are no average]"
)
PRECISION_HELP = {
    "fp32": "Float32; whether TF32 is used is left to the library.",
    "fp16": "Convert to float16.",
    "bf16": "Convert to bfloat16 (opset 22).",
    "int8": "Quantise to INT8; the rest becomes float16.",
    "fp8": "Quantise to FP8 (E4M3), for GPUs of SM 8.9 and newer; the rest becomes float16.",
}


def packed(options: type[Options]) -> Callable[[Callable[[Options], None]], Command]:
    """Pass a command's options on as one dataclass with a field for each of them."""

    def decorate(command: Callable[[Options], None]) -> Command:
        @functools.wraps(command)
        def with_options(**values: Any) -> None:
            command(options(**values))

        return with_options

    return decorate


def precision_flags(*names: str) -> Callable[[Command], Command]:
    """Add a flag for each precision; the command gets the one given, or None, as `precision`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_precision(**values: Any) -> None:
            given = [name for name in names if values.pop(name)]
            if len(given) > 1:
                raise click.UsageError(f"give one of {' and '.join(f'--{n}' for n in given)}.")
            command(precision=given[0] if given else None, **values)

        for name in reversed(names):
            option = click.option(f"--{name}", is_flag=True, help=PRECISION_HELP[name])
            with_precision = option(with_precision)
        return with_precision

    return decorate
