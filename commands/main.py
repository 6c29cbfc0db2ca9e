"""`drs-export <command>`: finds the command's module, and turns our errors into one line.

A command is imported only when it runs, so `drs-export run` needs no torch. This is the one place
of the project that loads a module by name.
"""

import importlib
import signal
import sys
from dataclasses import dataclass
from typing import Any

import click

from drsformer import __version__
from drsformer.errors import DRSformerError, one_line


@dataclass(frozen=True)
class Command:
    """Where a command is and what it needs.

    Attributes:
        summary: for `drs-export --help`, which must not import torch to show it.
        extra: the extras that it needs, None where the core is enough.
        module: its module in this package; by default of the command's own name.
    """

    summary: str
    extra: str | None = None
    module: str | None = None


COMMANDS = {
    "onnx": Command("Export a checkpoint to a validated ONNX file.", "export", "onnx_command"),
    "validate": Command("Compare an exported file with its checkpoint, stage by stage.", "export"),
    "inspect": Command("Show what a checkpoint, an ONNX file or an engine is.", "export"),
    "convert": Command(
        "Convert a model to float16, bfloat16, INT8 or FP8, and measure what that costs.",
        "export,calibration",
    ),
    "calibrate": Command("Take INT8 or FP8 scales from images.", "export,calibration"),
    "sensitivity": Command(
        "Measure what a lower precision costs in each part of a model.", "export,calibration"
    ),
    "trt": Command("Build a TensorRT or TensorRT-RTX engine.", "export,rtx"),
    "run": Command("Derain images, folders and videos."),
    "evaluate": Command("Measure Y-PSNR and SSIM against clean images."),
    "bench": Command("Compare the ways to run a checkpoint on this machine.", "export"),
    "demo": Command(
        "Export the shipped checkpoint and derain a photo with it.", "export,calibration"
    ),
}


class LazyCommands(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        known = COMMANDS[name]
        try:
            module = importlib.import_module(f"drsformer.commands.{known.module or name}")
        except ModuleNotFoundError as error:
            if known.extra is None or (error.name or "").startswith("drsformer"):
                raise
            raise DRSformerError(
                f"`drs-export {name}` needs {error.name}, which is not installed: "
                f"pip install 'drs-export[{known.extra}]'"
            ) from error
        command = getattr(module, name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would print an empty line and "Aborted!"
            print("interrupted; no file was left half-written", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="drs-export")
def cli() -> None:
    """From a DRSformer checkpoint to a verified, fast deraining engine."""


def main() -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 our own errors, one line on stderr; 2 wrong usage, one line; 130 and 143
    after Ctrl-C and SIGTERM, with whatever was half-written removed.
    """
    former = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli(prog_name="drs-export", standalone_mode=False)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except DRSformerError as error:
        code = _fail(str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help, which is what was asked for
        code = error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "drs-export"
        code = _fail(f"{error.format_message()} See `{command} --help`.", error.exit_code)
    except OSError as error:  # the terminal or the pipe that results go to
        sys.stdout = None
        code = _fail(f"cannot print the results: {error.strerror}", 1)
    finally:
        signal.signal(signal.SIGTERM, former)
    sys.exit(code)


def _terminate(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _fail(message: str, code: int) -> int:
    print(f"error: {one_line(message)}", file=sys.stderr)
    return code
