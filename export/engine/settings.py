"""What a user may choose about an engine. Precision is not among it: that is in the ONNX file."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from drsformer.engine.libraries import LIBRARIES, Library
from drsformer.engine.manifest import Profile
from drsformer.errors import EngineError

Hardware = Literal["none", "ampere+", "same-capability"]
LEVELS = range(6)


@dataclass(frozen=True)
class EngineSettings:
    """How to build.

    Attributes:
        flavor: the library to build with.
        profiles: shapes to build for.
        targets: compute capabilities, "8.9", to build for without such a GPU; TensorRT-RTX only.
        workspace_bytes: most scratch memory that a layer may use; None for all there is.
        level: of the builder's optimisation, 0 to 5; None for the library's default.
        version_compatible: later TensorRT versions can run it; slower.
        hardware: which other GPUs can run it; slower.
        strip_weights: leave out the weights; they are put in from the ONNX file when it is loaded.
        refit: weights can be replaced later.
    """

    flavor: Library
    profiles: tuple[Profile, ...]
    targets: tuple[str, ...] = ()
    workspace_bytes: int | None = None
    level: int | None = None
    version_compatible: bool = False
    hardware: Hardware = "none"
    strip_weights: bool = False
    refit: bool = False

    def __post_init__(self) -> None:
        """Refuse what the flavor does not have, rather than leave it out."""
        if not self.flavor.builds:
            raise EngineError(f"{self.flavor.title} only runs engines; build with tensorrt")
        rtx = self.library is LIBRARIES["tensorrt_rtx"]
        for asked, name in (
            (self.version_compatible, "--version-compatible"),
            (self.hardware != "none", "--hardware-compatible"),
        ):
            if rtx and asked:
                raise EngineError(
                    f"{name} is of TensorRT; TensorRT-RTX engines run with the version that built "
                    "them only, and on every GPU given as --gpu"
                )
        if self.compute_capabilities and not rtx:
            raise EngineError(
                "--gpu is of TensorRT-RTX (--library rtx); TensorRT builds for the GPU it is on"
            )
        if self.level is not None and self.level not in LEVELS:
            raise EngineError(
                f"optimisation level {self.level} must be {LEVELS[0]} to {LEVELS[-1]}"
            )
        if self.workspace_bytes is not None and self.workspace_bytes < 1:
            raise EngineError("the workspace must be more than nothing")
        if self.hardware not in get_args(Hardware):
            raise EngineError(f"hardware {self.hardware!r} must be {', '.join(get_args(Hardware))}")


def compute_capabilities_from_text(text: str) -> tuple[str, ...]:
    """Return "8.9", "12.0" for "sm_89,sm_120".

    Raises:
        EngineError: not such a text.
    """
    made = []
    for part in text.split(","):
        match = re.fullmatch(r"(?:sm_?)?([0-9]{1,2})\.?([0-9])", part.strip().lower())
        if not match:
            raise EngineError(f"target {part!r}: expected compute capabilities such as sm_86,sm_89")
        made.append(f"{int(match[1])}.{match[2]}")
    return tuple(dict.fromkeys(made))
