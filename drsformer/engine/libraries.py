"""The libraries that build and run engines, by the names that an engine's manifest uses.

    tensorrt         TensorRT 10.3 to 11.x: server and desktop GPUs, Jetson
    tensorrt_lean    its small runtime, for version-compatible engines only
    tensorrt_rtx     TensorRT-RTX: RTX GPUs; builds on machines without one

Their Python modules have the same classes. What differs is asked of the module, not looked up in a
table of versions.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from drsformer.errors import ProviderError


@dataclass(frozen=True)
class Flavor:
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


FLAVORS = {
    flavor.name: flavor
    for flavor in (
        Flavor(
            "tensorrt",
            "TensorRT",
            ("tensorrt", "tensorrt_bindings"),
            "pip install 'drs-export[trt]' (Jetson: it is part of JetPack)",
        ),
        Flavor(
            "tensorrt_lean",
            "TensorRT's lean runtime",
            ("tensorrt_lean", "tensorrt_lean_bindings"),
            "pip install tensorrt-lean cuda-bindings",
            builds=False,
        ),
        Flavor(
            "tensorrt_rtx",
            "TensorRT-RTX",
            # installed from the bindings' wheel alone, only the second one is there
            ("tensorrt_rtx", "tensorrt_rtx_bindings"),
            "pip install 'drs-export[rtx]'",
        ),
    )
}


def module_of(flavor: Flavor) -> ModuleType:
    """Import a flavor's Python module.

    Raises:
        ProviderError: it is not installed, or its libraries cannot be loaded.
    """
    for name in flavor.modules:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise ProviderError(
                    f"{flavor.title} is installed but needs {error.name}; {flavor.install}"
                ) from error
        except (ImportError, OSError) as error:
            raise ProviderError(
                f"{flavor.title} is installed but its libraries cannot be loaded ({error}); "
                f"{flavor.install}"
            ) from error
    raise ProviderError(f"{flavor.title} is not installed; {flavor.install}")


def installed() -> list[Flavor]:
    """Return the flavors whose modules can be imported here."""
    found = []
    for flavor in FLAVORS.values():
        try:
            module_of(flavor)
        except ProviderError:
            continue
        found.append(flavor)
    return found


def version_of(module: Any) -> str:
    """Return a flavor's exact version, "1.7.1.116"."""
    return str(module.__version__)
