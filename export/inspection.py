"""Describes a checkpoint, an ONNX model or an engine as nested plain values.

Only a checkpoint needs torch. An ONNX file is read by ONNX Runtime, which every installation has;
with the package onnx its operators are counted too.
"""

import json
from collections import Counter
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import onnxruntime as ort

from drsformer.config import DRSformerConfig, variant
from drsformer.contract import METADATA_KEY
from drsformer.engine.libraries import LIBRARIES
from drsformer.engine.manifest import is_engine, manifest_of, shapes_text
from drsformer.errors import ExportError, one_line
from drsformer.extras import installing
from drsformer.files import check_readable, lost_weights, sha256_of, validation_report_path

FATAL_ONLY = 4  # ONNX Runtime's log level: its errors are exceptions too
JSON_KEYS = {METADATA_KEY, "config", "rewrites", "calibration"}  # their values are JSON text


def describe(path: Path) -> dict[str, Any]:
    """Describe a checkpoint, an ONNX file or an engine.

    Args:
        path: a .onnx file or an engine; any other file is read as a checkpoint.

    Returns:
        A dictionary of sections, each of them a dictionary of JSON-ready values.

    Raises:
        CheckpointError: the file is not a checkpoint of a DRSformer.
        ExportError: the file is not ONNX.
        EngineError: the engine has no manifest, or a manifest that describes another engine.
    """
    if is_engine(path):
        return _describe_engine(path)
    return _describe_onnx(path) if path.suffix == ".onnx" else _describe_checkpoint(path)


def _describe_checkpoint(path: Path) -> dict[str, Any]:
    from drsformer.checkpoint import checkpoint_from_file  # needs torch

    checkpoint = checkpoint_from_file(path)
    shapes = {name: list(tensor.shape) for name, tensor in checkpoint.state.items()}
    file = _file(path, "DRSformer checkpoint")
    file["state dict under"] = checkpoint.container or "(top)"
    if checkpoint.remarks:
        file["remarks"] = list(checkpoint.remarks)
    return {
        "file": file,
        "network": _network(checkpoint.config)
        | {"parameters": sum(t.numel() for t in checkpoint.state.values()), "tensors": len(shapes)},
    }


def _describe_engine(path: Path) -> dict[str, Any]:
    """Describe which GPU and version an engine was built for; this needs no TensorRT."""
    manifest = manifest_of(path)
    runs_on, built_on = manifest.runs_on, manifest.built_on
    able = ", ".join(runs_on.compute_capabilities)
    described: dict[str, Any] = {
        "file": {
            "kind": f"engine of {LIBRARIES[manifest.flavor].title}",
            "bytes": manifest.engine_bytes,
            "sha256": manifest.engine_sha256,
        },
        "runs on": {
            "library": f"{LIBRARIES[manifest.flavor].title} {manifest.version}"
            + (" and later" if runs_on.version_compatible else ", no other version"),
            "compute capability": able + (" and newer" if runs_on.newer else ""),
            "platform": runs_on.platform or "Linux and Windows",
            "input": [shapes_text(profile) for profile in manifest.profiles],
        },
        "computes in": {"precision": manifest.precision} | manifest.layers,
        "built": {
            "on": built_on.gpu or "a machine without a GPU",
            "from": manifest.onnx_file,
            "onnx_sha256": manifest.onnx_sha256,
            "checkpoint_sha256": manifest.checkpoint_sha256,
            "by": manifest.command,
            "drs_export_version": manifest.drs_export_version,
        }
        | {name: value for name, value in manifest.options.items() if value is not None},
        "contract": asdict(manifest.contract),
    }
    if manifest.calibration:
        described["calibration"] = manifest.calibration
    described["validation"] = manifest.validation or {"outputs": "not compared on a GPU yet"}
    return described


def _describe_onnx(path: Path) -> dict[str, Any]:
    metadata, graph = _graph(path)
    made = {k: _json_or_text(v) if k in JSON_KEYS else v for k, v in metadata.items()}
    ours = METADATA_KEY in metadata
    config = made.pop("config", None)
    contract = made.pop(METADATA_KEY, None)
    described: dict[str, Any] = {
        "file": _file(
            path, "ONNX model of drs-export" if ours else "ONNX model, not made by drs-export"
        )
    }
    if isinstance(config, dict) and "mefc" in config:
        described["network"] = {"variant": variant(mefc=bool(config["mefc"]))} | config
    described["graph"] = graph
    if made:
        described["made by"] = made
    if contract is not None:
        described["contract"] = contract if isinstance(contract, dict) else {"text": contract}
    report = validation_report_path(path)
    if report.is_file():
        described["validation"] = _validation(report, described["file"]["sha256"])
    return described


def _graph(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return an ONNX file's metadata and a description of its graph."""
    try:
        from .graph import load_onnx, metadata_of
    except ModuleNotFoundError:
        return _graph_by_onnxruntime(path)
    proto = load_onnx(path)
    counts = Counter(node.op_type for node in proto.graph.node)
    return metadata_of(proto), {
        "opset": {o.domain or "standard": o.version for o in proto.opset_import},
        "inputs": _tensors(proto.graph.input),
        "outputs": _tensors(proto.graph.output),
        "weights": sum(prod(tensor.dims) for tensor in proto.graph.initializer),
        "nodes": len(proto.graph.node),
        "node types": dict(counts.most_common()),
    }


def _tensors(values: Any) -> dict[str, str]:
    """Return each tensor's type and shape, such as "float batch x 3 x height x width"."""
    from onnx import TensorProto

    described = {}
    for value in values:
        tensor = value.type.tensor_type
        dims = " x ".join(d.dim_param or str(d.dim_value or "?") for d in tensor.shape.dim)
        names = TensorProto.DataType
        known = tensor.elem_type in names.values()
        dtype = names.Name(tensor.elem_type).lower() if known else "unknown type"
        described[value.name] = f"{dtype} {dims}"
    return described


def _graph_by_onnxruntime(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what ONNX Runtime tells of a file: its metadata, inputs and outputs."""
    check_readable(path, ExportError, "expected an ONNX model")
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no narrower base
        raise ExportError(
            lost_weights(str(error), path)
            or f"{path} is no ONNX model that ONNX Runtime can open: {one_line(str(error), 200)}"
        ) from error
    described = {
        "inputs": _tensors_of_session(session.get_inputs()),
        "outputs": _tensors_of_session(session.get_outputs()),
        "nodes": f"counted by the package onnx, which is not installed; {installing('onnx')}",
    }
    return dict(session.get_modelmeta().custom_metadata_map), described


def _tensors_of_session(values: Any) -> dict[str, str]:
    """Return the same as `_tensors`, from the inputs or outputs of a session."""
    described = {}
    for value in values:
        dtype = value.type.removeprefix("tensor(").removesuffix(")")
        described[value.name] = f"{dtype} {' x '.join(str(size or '?') for size in value.shape)}"
    return described


def _file(path: Path, kind: str) -> dict[str, Any]:
    return {"kind": kind, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _network(config: DRSformerConfig) -> dict[str, Any]:
    return {"variant": config.variant} | config.to_dict()


def _json_or_text(text: str) -> Any:
    """Return the value of JSON text; any other text is returned as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _validation(path: Path, sha256: str) -> dict[str, Any]:
    """Summarise the validation report beside the file, if it is about this file."""
    try:
        report = json.loads(path.read_text())
        if report["model_sha256"] != sha256:
            return {"report": f"{path.name} is about another file"}
        return {
            "report": path.name,
            "passed": report["passed"],
            "inputs": len(report["rows"]),
            "max error": max(row["max_error"] for row in report["rows"]),
            "reference": report["reference"],
        }
    except (ValueError, LookupError, TypeError, OSError, RecursionError):
        return {"report": f"{path.name} cannot be read"}
