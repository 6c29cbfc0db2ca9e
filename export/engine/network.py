"""Parses an ONNX model into a strongly typed TensorRT network: the file decides the precision."""

from dataclasses import dataclass
from typing import Any

import onnx

from drsformer.engine.logger import LogSince, log_since_now
from drsformer.errors import EngineError, one_line


@dataclass(frozen=True)
class Parsed:
    """A network with the objects that must live as long as it does.

    Attributes:
        module: the library's Python module.
        log: the library's logger.
        builder: the library's builder.
        network: the parsed network.
        parser: the parser, which owns the weights.
    """

    module: Any
    log: LogSince
    builder: Any
    network: Any
    parser: Any


def network_from_onnx(module: Any, proto: onnx.ModelProto) -> Parsed:
    """Parse a model.

    Raises:
        EngineError: the library cannot start, mostly for want of a GPU, or it refuses the model.
    """
    log = log_since_now(module)
    try:
        builder = module.Builder(log.logger)
    except Exception as error:  # the bindings raise several kinds, mostly TypeError
        reason = log.reason() if log.errors else one_line(str(error))
        raise EngineError(
            f"{module.__name__} {module.__version__} cannot start its builder: {reason}; TensorRT "
            "needs a GPU and its driver to build, TensorRT-RTX (--library rtx) does not"
        ) from error
    network = builder.create_network(_creation_flags(module))
    parser = module.OnnxParser(network, log.logger)
    if not parser.parse(proto.SerializeToString()):
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise EngineError(
            f"{module.__name__} {module.__version__} cannot read this model: "
            f"{one_line('; '.join(reasons) or log.reason(), limit=300)}"
        )
    return Parsed(module, log, builder, network, parser)


def _creation_flags(module: Any) -> int:
    """Return flags that ask for strong typing: 10.x needs that, 11.x always types strongly."""
    flag = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)
