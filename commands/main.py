"""`drs-export <command>`: finds the command's module, and turns our errors into one line.

A command is imported only when it runs, so `drs-export run` needs no torch. This is the one place
of the project that loads a module by name.

    exit code   meaning
    0           done
    1           an error of input, or a check that failed: one line on stderr
    2           wrong usage: one line on stderr says what is wrong and which help to read
    130, 143    interrupted by Ctrl-C, by SIGTERM

No file is left half-written, whatever the exit code.
"""

import gc
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import click

from drsformer import __version__
from drsformer.errors import DRSformerError, one_line
from drsformer.extras import EXTRA_OF, installing

from .imports import lasting_imports


@dataclass(frozen=True)
class Command:
    """What `drs-export` knows of a command before it imports it.

    Attributes:
        summary: its line in `drs-export --help`, which must not import torch.
        extra: the extras that it needs in any case; None where the core is enough.
        checkpoint_extra: the extras that it needs for a checkpoint, if these are more.
        module: its module in this package; by default the command's own name.
    """

    summary: str
    extra: str | None = None
    checkpoint_extra: str | None = None
    module: str | None = None


COMMANDS = {
    "onnx": Command(
        "Export a checkpoint to ONNX and check the file against PyTorch.",
        "export",
        module="onnx_command",
    ),
    "validate": Command(
        "Check an ONNX file against its checkpoint, or an engine against its ONNX file.",
        "onnx",
        "export",
    ),
    "inspect": Command(
        "Describe a checkpoint, an ONNX file or an engine.", checkpoint_extra="export"
    ),
    "convert": Command(
        "Convert a model to fp16, bf16, INT8 or FP8, and measure the loss of quality.",
        "onnx",
        "export",
    ),
    "calibrate": Command("Determine the scales for INT8 or FP8 from images.", "onnx"),
    "sensitivity": Command(
        "Measure the loss that a lower precision causes in each group of nodes.", "onnx"
    ),
    "trt": Command("Build a TensorRT or TensorRT-RTX engine.", "onnx,rtx", "export,rtx"),
    "run": Command("Derain images, folders and videos.", checkpoint_extra="export"),
    "evaluate": Command(
        "Measure the Y-PSNR and SSIM of derained images.", checkpoint_extra="export"
    ),
    "bench": Command("Compare the speed of a checkpoint in several inference libraries.", "export"),
    "demo": Command(
        "Derain a photo with the checkpoint that comes with this package.", "export,calibration"
    ),
}

EPILOG = """\b
Exit codes:
  0         done
  1         an error of input, or a check that failed (`validate` found a
            difference, `convert` cannot keep to its limit); one line on
            stderr says what is wrong
  2         wrong usage; one line on stderr says what is wrong and which help
            to read
  130, 143  interrupted by Ctrl-C, by SIGTERM
No file is left half-written, whatever the exit code.
"""


class LazyCommands(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module_name = COMMANDS[name].module or name
        if name != "bench":  # which measures PyTorch as its users run it
            # PyTorch's idle threads spin; beside another busy program an export took 170 s, not 9
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            with lasting_imports():
                module = importlib.import_module(f"drsformer.commands.{module_name}")
        except ModuleNotFoundError as error:
            raise _extra_missing(name, error) from error
        command = getattr(module, name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:  # a command imports what only some inputs need late
            raise _extra_missing(ctx.invoked_subcommand, error) from error
        except KeyboardInterrupt:  # click would print an empty line and "Aborted!"
            print("interrupted; no file was left half-written", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


def _extra_missing(command: str | None, error: ModuleNotFoundError) -> Exception:
    """Return the error that names the extra to install; the error itself if that is none."""
    module = (error.name or "").split(".")[0]
    if command is None or module not in EXTRA_OF:
        return error
    known, smallest = COMMANDS[command], EXTRA_OF[module]
    for_checkpoint = known.checkpoint_extra
    if smallest == "export" and for_checkpoint:
        return DRSformerError(
            f"`drs-export {command}` needs {module} for a checkpoint, which is not installed; "
            f"{installing(for_checkpoint)}"
        )
    also = f" ({for_checkpoint} for a checkpoint)" if for_checkpoint else ""
    return DRSformerError(
        f"`drs-export {command}` needs {module}, which is not installed; "
        f"{installing(known.extra or smallest)}{also}"
    )


@click.group(
    cls=LazyCommands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="drs-export")
def cli() -> None:
    """Export a DRSformer checkpoint to ONNX or TensorRT, check it, and derain images with it."""


def main() -> None:
    """Run the command line and exit with one of the codes in the table above."""
    former = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli(prog_name="drs-export", standalone_mode=False)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except DRSformerError as error:
        code = _fail(str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # prints the help
        code = error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "drs-export"
        code = _fail(f"{error.format_message()} See `{command} --help`.", error.exit_code)
    except OSError as error:
        if error.filename is not None:
            code = _fail(f"{error.filename}: {error.strerror}", 1)
        else:  # from the terminal or the pipe that results go to
            sys.stdout = None
            code = _fail(f"cannot print the results: {error.strerror}", 1)
    finally:
        signal.signal(signal.SIGTERM, former)
    gc.freeze()  # the system takes all memory back at once; the interpreter would search it first
    sys.exit(code)


def _terminate(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _fail(message: str, code: int) -> int:
    print(f"error: {one_line(message)}", file=sys.stderr)
    return code
