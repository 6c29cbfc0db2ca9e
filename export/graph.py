"""Reads an ONNX file, its metadata and the sizes of its input."""

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import external_data_helper

from drsformer.errors import ExportError
from drsformer.files import check_readable, weights_missing

PRECISION_KEY = "precision"  # metadata key; only files that are not float32 have it
STAGE_PREFIX = "stage/"  # begins the names of the tensors that validation compares


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ExportError: the file is missing, empty, truncated or something else.
    """
    check_readable(path, ExportError, "expected an ONNX model")
    try:
        proto = onnx.load(path, load_external_data=False)
        _load_weights(proto, path)
        onnx.checker.check_model(proto)
    except ExportError:
        raise
    except Exception as error:  # protobuf's and the checker's errors share no narrower base
        raise ExportError(
            f"{path} is not an ONNX model: empty, truncated or another kind of file"
        ) from error
    return proto


def _load_weights(proto: onnx.ModelProto, path: Path) -> None:
    """Read the weights that lie in a file beside the model; raises ExportError without it."""
    files = {
        entry.value
        for tensor in proto.graph.initializer
        if external_data_helper.uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    if not files:
        return
    try:
        external_data_helper.load_external_data_for_model(proto, str(path.parent))
    except Exception as error:  # onnx raises several kinds
        raise ExportError(weights_missing(path, min(files))) from error


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
