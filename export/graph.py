"""Reads an ONNX file, its metadata and the sizes of its input."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from drsformer.errors import ExportError
from drsformer.files import check_readable

PRECISION_KEY = "precision"  # metadata key; only files that are not float32 have it
STAGE_PREFIX = "stage/"  # begins the names of the tensors that validation compares


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ExportError: the file is missing, empty, truncated or something else.
    """
    check_readable(path, ExportError, "expected an ONNX model")
    try:
        proto = onnx.load(path)
        onnx.checker.check_model(proto)
    except Exception as error:  # protobuf's and the checker's errors share no narrower base
        raise ExportError(
            f"{path} is not an ONNX model: empty, truncated or another kind of file"
        ) from error
    return proto


def metadata_of(proto: onnx.ModelProto) -> dict[str, str]:
    """Return a model's metadata by key."""
    return {prop.key: prop.value for prop in proto.metadata_props}


def set_metadata(proto: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Replace a model's metadata; keys are sorted, so equal metadata gives equal bytes."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, dict(sorted(metadata.items())))


def input_sizes(proto: onnx.ModelProto) -> list[int | None]:
    """Return the sizes of the first input's axes, None for a dynamic one."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    return [dim.dim_value or None for dim in dims]


def check_valid(proto: onnx.ModelProto, what: str) -> None:
    """Raise ExportError unless a graph that was just made is valid ONNX, its shapes too.

    Args:
        proto: the graph.
        what: its name in the message, "the exported graph".
    """
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{what} is not valid ONNX: {error}") from error
