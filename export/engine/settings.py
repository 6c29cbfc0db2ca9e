"""The settings of a build. Precision is not one of them: the ONNX file has it."""

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
        engine_library: the library to build with.
        profiles: input shapes to build for.
        compute_capabilities: of the GPUs to build for, "8.9"; TensorRT-RTX only. Empty for the
            library's own choice.
        workspace_bytes: most scratch memory that a layer may use; None for all there is.
        level: builder optimisation level, 0 to 5; None for the library's default.
        version_compatible: whether later TensorRT versions can run the engine; slower.
        hardware: which other GPUs can run the engine; slower.
        strip_weights: whether to leave the weights out; the runtime takes them from the ONNX file.
        refit: whether the weights can be replaced later.
        device: CUDA ordinal of the GPU that builds; None for the first. TensorRT-RTX needs none.
    """

    engine_library: Library
    profiles: tuple[Profile, ...]
    compute_capabilities: tuple[str, ...] = ()
    workspace_bytes: int | None = None
    level: int | None = None
    version_compatible: bool = False
    hardware: Hardware = "none"
    strip_weights: bool = False
    refit: bool = False
    device: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the library does not have."""
        if not self.engine_library.builds:
            raise EngineError(f"{self.engine_library.title} only runs engines; build with tensorrt")
        rtx = self.engine_library is LIBRARIES["tensorrt_rtx"]
        for asked, name in (
            (self.version_compatible, "--version-compatible"),
            (self.hardware != "none", "--hardware-compatible"),
        ):
            if rtx and asked:
                raise EngineError(
                    f"{name} is an option of TensorRT; TensorRT-RTX engines run only with the "
                    "version that built them, on every GPU given as --gpu"
                )
        if self.compute_capabilities and not rtx:
            raise EngineError(
                "--gpu is an option of TensorRT-RTX (--library rtx); TensorRT builds for the GPU "
                "of this machine"
            )
        if self.level is not None and self.level not in LEVELS:
            raise EngineError(f"--level is {self.level}; expected {LEVELS[0]} to {LEVELS[-1]}")
        if self.workspace_bytes is not None and self.workspace_bytes < 1:
            raise EngineError("the workspace is less than one byte; expected more --workspace")
        if self.hardware not in get_args(Hardware):
            raise EngineError(
                f"hardware is {self.hardware!r}; expected {' or '.join(get_args(Hardware))}"
            )


def compute_capabilities_from_text(text: str) -> tuple[str, ...]:
    """Return ("8.9", "12.0") for "sm_89,sm_120".

    Raises:
        EngineError: the text is no list of compute capabilities.
    """
    made = []
    for part in text.split(","):
        match = re.fullmatch(r"(?:sm_?)?([0-9]{1,2})\.?([0-9])", part.strip().lower())
        if not match:
            raise EngineError(f"--gpu {part!r}: expected compute capabilities such as sm_86,sm_89")
        made.append(f"{int(match[1])}.{match[2]}")
    return tuple(dict.fromkeys(made))
