"""An engine file as an object of its library, with its weights also where it was built without."""

from pathlib import Path
from typing import Any

from drsformer.engine.logger import logger_of
from drsformer.engine.manifest import REBUILD, Manifest
from drsformer.errors import EngineError
from drsformer.files import sha256_of


class LoadedEngine:
    """A deserialised engine with the objects that must live as long as it does.

    Attributes:
        module: the library's Python module.
        log: the library's logger.
        engine: the library's engine.
    """

    def __init__(self, module: Any, path: Path, manifest: Manifest) -> None:
        """Load an engine whose manifest was checked before.

        Args:
            module: Python module of the library that the manifest names.
            path: the engine.
            manifest: of this very file.

        Raises:
            EngineError: the library refuses it, or the ONNX file with its weights is missing.
        """
        self.module, self.log = module, logger_of(module)
        self.log.clear()
        self._runtime = module.Runtime(self.log)
        if manifest.runs_on.version_compatible:
            self._runtime.engine_host_code_allowed = True  # its lean runtime is inside the engine
        self.engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self.engine is None:
            raise EngineError(
                f"{path} cannot be loaded: {self.log.reason()}; {REBUILD} on this machine"
            )
        if manifest.options.get("stripped_weights"):
            self._refit(path, manifest)

    def close(self) -> None:
        """Free the engine; its contexts must be freed before."""
        self.engine = None
        self._runtime = None

    def _refit(self, path: Path, manifest: Manifest) -> None:
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
        if not hasattr(self.module, "OnnxParserRefitter"):
            raise EngineError(
                f"{path} was built without weights, and {self.module.__name__} cannot put them in; "
                "install the full library, or build without --strip-weights"
            )
        refitter = self.module.Refitter(self.engine, self.log)
        parser = self.module.OnnxParserRefitter(refitter, self.log)
        if not parser.refit_from_file(str(source)) or not refitter.refit_cuda_engine():
            reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
            raise EngineError(
                f"{path} cannot take the weights of {source.name}: "
                f"{'; '.join(reasons) or self.log.reason()}"
            )
