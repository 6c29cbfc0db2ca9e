"""The libraries that build and run engines, by the names that an engine's manifest uses.

    tensorrt         TensorRT 10.3 to 11.x: server and desktop GPUs, Jetson
    tensorrt_lean    its small runtime, for version-compatible engines only
    tensorrt_rtx     TensorRT-RTX: RTX GPUs; builds on machines without one

Their Python modules have the same classes. Where they differ, the code asks the module what it has
and keeps no table of versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drsformer.errors import ProviderError
from drsformer.extras import installing


@dataclass(frozen=True)
class Library:
    """One of the libraries.

    Attributes:
        name: as in manifests.
        title: for sentences.
        modules: Python modules that hold it, the usual one first.
        install: how to get it.
        builds: whether it can make engines.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    install: str
    builds: bool = True


LIBRARIES = {
    library.name: library
    for library in (
        Library(
            "tensorrt",
            "TensorRT",
            ("tensorrt", "tensorrt_bindings"),
            installing("trt") + " (Jetson: it is part of JetPack)",
        ),
        Library(
            "tensorrt_lean",
            "TensorRT's lean runtime",
            ("tensorrt_lean", "tensorrt_lean_bindings"),
            "pip install tensorrt-lean cuda-bindings",
            builds=False,
        ),
        Library(
            "tensorrt_rtx",
            "TensorRT-RTX",
            # installed from the bindings' wheel alone, only the second one is there
            ("tensorrt_rtx", "tensorrt_rtx_bindings"),
            installing("rtx"),
        ),
    )
}


def _tensorrt() -> Any:
    import tensorrt

    return tensorrt


def _tensorrt_bindings() -> Any:
    import tensorrt_bindings

    return tensorrt_bindings


def _tensorrt_lean() -> Any:
    import tensorrt_lean

    return tensorrt_lean


def _tensorrt_lean_bindings() -> Any:
    import tensorrt_lean_bindings

    return tensorrt_lean_bindings


def _tensorrt_rtx() -> Any:
    import tensorrt_rtx

    return tensorrt_rtx


def _tensorrt_rtx_bindings() -> Any:
    import tensorrt_rtx_bindings

    return tensorrt_rtx_bindings


_IMPORTED: dict[str, Callable[[], Any]] = {
    "tensorrt": _tensorrt,
    "tensorrt_bindings": _tensorrt_bindings,
    "tensorrt_lean": _tensorrt_lean,
    "tensorrt_lean_bindings": _tensorrt_lean_bindings,
    "tensorrt_rtx": _tensorrt_rtx,
    "tensorrt_rtx_bindings": _tensorrt_rtx_bindings,
}


def module_of(library: Library) -> Any:
    """Import a library's Python module.

    Raises:
        ProviderError: it is not installed, or its libraries cannot be loaded.
    """
    for name in library.modules:
        try:
            return _IMPORTED[name]()
        except ModuleNotFoundError as error:
            if error.name != name:
                raise ProviderError(
                    f"{library.title} is installed but needs {error.name}; {library.install}"
                ) from error
        except (ImportError, OSError) as error:
            raise ProviderError(
                f"{library.title} is installed but its libraries cannot be loaded ({error}); "
                f"{library.install}"
            ) from error
    raise ProviderError(f"{library.title} is not installed; {library.install}")


def version_of(module: Any) -> str:
    """Return the exact version of a library's module, "1.7.1.116"."""
    return str(module.__version__)
