"""Every error that a user can cause.

    DRSformerError            shown to the user as one line, no traceback, exit code 1
    ├── CheckpointError       a file is no DRSformer state dict; its wrong keys are listed
    ├── ExportError           the ONNX file could not be made, or a rewrite's precondition failed
    ├── AgreementError        two implementations differ by more than the stated tolerance
    ├── ModelError            the runtime cannot use an exported file
    │   └── EngineError       an engine could not be built, or does not fit this machine
    ├── ProviderError         an execution provider is unknown or not available here
    ├── ShapeError            the model or the tiling cannot take a size
    ├── ImageError            an image or video cannot be read or written
    └── CalibrationError      images, ranges or rain settings cannot be used

Each message names the thing that is wrong, what it is, what was expected and what to do.
"""


class DRSformerError(Exception):
    """Base of all errors caused by input, not by a bug."""


class CheckpointError(DRSformerError):
    """A checkpoint file is unreadable or does not hold a DRSformer."""


class ExportError(DRSformerError):
    """The ONNX file could not be produced or checked."""


class AgreementError(DRSformerError):
    """Two implementations of one network disagree beyond the tolerance."""


class ModelError(DRSformerError):
    """A model file is unreadable or is not one of ours."""


class EngineError(ModelError):
    """An engine could not be built, or does not fit this machine; both sides are named."""


class ProviderError(DRSformerError):
    """An execution provider is unknown or not available."""


class ShapeError(DRSformerError):
    """The size of an image, a tile or an overlap cannot be used."""


class ImageError(DRSformerError):
    """An image or video file cannot be read or written."""


class CalibrationError(DRSformerError):
    """Images, ranges or rain settings cannot be used."""


def one_line(text: str, limit: int = 600) -> str:
    """Return text for one line of a terminal: no line breaks, no control characters."""
    words = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "?" for c in words)
    return printable if len(printable) <= limit else printable[: limit - 4] + " ..."
