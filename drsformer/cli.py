"""`drs-export <command>`: finds the command's stage, and turns our errors into one line.

A stage is imported only when one of its commands runs, so `drs-export run` needs no torch.
"""

import importlib
import signal
import sys
from typing import Any

import click

from drsformer import __version__
from drsformer.errors import DRSformerError, one_line

# command -> module that holds a click command of that name, and the extra it needs
COMMANDS = {
    "onnx": ("drsformer.export.cli", "export"),
    "validate": ("drsformer.export.cli", "export"),
    "inspect": ("drsformer.export.cli", "export"),
    "convert": ("drsformer.calibration.cli", "export,calibration"),
    "calibrate": ("drsformer.calibration.cli", "export,calibration"),
    "sensitivity": ("drsformer.calibration.cli", "export,calibration"),
    "trt": ("drsformer.trt", "export,rtx"),
    "run": ("drsformer.runtime.cli", None),
    "evaluate": ("drsformer.runtime.cli", None),
    "bench": ("drsformer.bench.command", "export"),
    "demo": ("drsformer.demo", "export,calibration"),
}


class Stages(click.Group):
    """A group whose commands live in the stages and are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, extra = COMMANDS[name]
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if extra is None or (error.name or "").startswith("drsformer"):
                raise
            raise DRSformerError(
                f"`drs-export {name}` needs {error.name}, which is not installed: "
                f"pip install 'drs-export[{extra}]'"
            ) from error
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
            formatter.write_dl([(name, SUMMARIES[name]) for name in COMMANDS])


# beside the commands, not read from them: `--help` must not import torch
SUMMARIES = {
    "onnx": "Export a checkpoint to a validated ONNX file.",
    "validate": "Compare an exported file with its checkpoint, stage by stage.",
    "inspect": "Show what a checkpoint or an ONNX file is.",
    "convert": "Convert a model to float16, bfloat16, INT8 or FP8, and judge it.",
    "calibrate": "Take INT8 or FP8 scales from images.",
    "sensitivity": "Measure what lowering each part of a model costs.",
    "trt": "Build a TensorRT or TensorRT-RTX engine.",
    "run": "Derain images, folders and videos.",
    "evaluate": "Measure Y-PSNR and SSIM against clean targets.",
    "bench": "Compare the ways to run a checkpoint on this machine.",
    "demo": "Export the shipped checkpoint and derain a photo with it.",
}


@click.group(cls=Stages, context_settings={"help_option_names": ["-h", "--help"]})
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
