"""An engine file as an object of its library, with its weights also where it was built without."""

import logging
from pathlib import Path
from typing import Any

from drsformer.engine.logger import log_since_now
from drsformer.engine.manifest import REBUILD, Manifest
from drsformer.errors import EngineError, one_line
from drsformer.files import sha256_of

log = logging.getLogger(__name__)


class LoadedEngine:
    """A deserialised engine with the objects that must live as long as it does.

    Attributes:
        module: the library's Python module.
        log: what the library said since it was loaded.
        engine: the library's engine.
    """

    def __init__(
        self, module: Any, content: bytes, source: str, *, version_compatible: bool = False
    ) -> None:
        """Load an engine.

        Args:
            module: the library's Python module.
            content: the engine's bytes.
            source: its name, for the error.
            version_compatible: whether its lean runtime is inside the engine.

        Raises:
            EngineError: the library refuses it.
        """
        self.module, self.log = module, log_since_now(module)
        self._runtime = module.Runtime(self.log.logger)
        if version_compatible:
            self._runtime.engine_host_code_allowed = True
        self.engine = self._runtime.deserialize_cuda_engine(content)
        if self.engine is None:
            raise EngineError(
                f"{source} cannot be loaded: {self.log.reason()}; {REBUILD} on this machine"
            )

    def close(self) -> None:
        """Free the engine; its contexts must be freed before."""
        self.engine = None
        self._runtime = None


def engine_from_file(module: Any, path: Path, manifest: Manifest) -> LoadedEngine:
    """Load an engine whose manifest was checked before, with its weights.

    What the library warns of is logged: it may have found an engine of another GPU model.

    Raises:
        EngineError: the library refuses it, or the ONNX file with its weights is missing.
    """
    loaded = LoadedEngine(
        module,
        path.read_bytes(),
        str(path),
        version_compatible=manifest.runs_on.version_compatible,
    )
    if manifest.options.get("stripped_weights"):
        try:
            _refit(loaded, path, manifest)
        except BaseException:
            loaded.close()
            raise
    for warning in dict.fromkeys(loaded.log.warnings):
        log.warning("%s: %s", path, one_line(warning, limit=300))
    return loaded


def _refit(loaded: LoadedEngine, path: Path, manifest: Manifest) -> None:
    """Put the weights of the ONNX file beside it into an engine built without weights."""
    source = path.with_name(manifest.onnx_file)
    if not source.is_file():
        raise EngineError(
            f"{path} was built without weights, and {source.name}, which has them, is not "
            "beside it; copy it there"
        )
    if sha256_of(source) != manifest.onnx_sha256:  # with other weights, results are undefined
        raise EngineError(
            f"{path} was built without weights, and {source.name} beside it is not the file "
            "that it was built from; copy that one there"
        )
    if not hasattr(loaded.module, "OnnxParserRefitter"):
        raise EngineError(
            f"{path} was built without weights, and {loaded.module.__name__} cannot put them in; "
            "install the full library, or build without --strip-weights"
        )
    refitter = loaded.module.Refitter(loaded.engine, loaded.log.logger)
    parser = loaded.module.OnnxParserRefitter(refitter, loaded.log.logger)
    if not parser.refit_from_file(str(source)) or not refitter.refit_cuda_engine():
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise EngineError(
            f"{path} cannot take the weights of {source.name}: "
            f"{'; '.join(reasons) or loaded.log.reason()}"
        )
