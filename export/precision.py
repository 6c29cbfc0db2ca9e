"""The float16 and bfloat16 forms of an exported model, and what of them stays float32.

The rules name parts of the network, by the names that the export gives its nodes, and come from
measurement (docs/numerics.md, "What stays in float32"). They hold from 64 x 64 to 1920 x 1080.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import onnx
import onnx_ir as ir

from drsformer.errors import ExportError

from .pixel_io import has_pixel_io
from .typed import MOVES, typed

Precision = Literal["fp16", "bf16", "int8", "fp8"]

LOW = {
    "fp16": ir.DataType.FLOAT16,
    "bf16": ir.DataType.BFLOAT16,
    "int8": ir.DataType.FLOAT16,  # what is not quantised
    "fp8": ir.DataType.FLOAT16,
}
OPSETS = {"fp16": 18, "bf16": 22, "int8": 19, "fp8": 19}  # the first that has what is needed
METADATA_KEY = "precision"


@dataclass(frozen=True)
class Rule:
    """A part of the network that stays float32.

    Attributes:
        part: for tables.
        pattern: of the names of its nodes.
        reason: why, in a sentence.
    """

    part: str
    pattern: str
    reason: str


RULES = (
    Rule(
        "scores",
        r"\.attn\.scores\.",
        "q @ k^T and the norms of q and k are sums over height x width: beyond float16 from about "
        "180 x 180 pixels on, and the top-k selects by them",
    ),
    Rule(
        "selection",
        r"\.attn\.map\.",
        "rounded scores tie, and a threshold keeps every tie; exp and its sums feed one small map",
    ),
    Rule(
        "norm",
        r"\.norm\.",
        "squares leave float16 where a feature is 256 from its pixel's mean",
    ),
    Rule(
        "gates",
        r"\.layers\.0\.",
        "averages over the whole image, and a softmax over what is computed from them",
    ),
    Rule(
        "final sum",
        r"^Add$",
        "adds the image: rounding here is rounding of the result, 11 dB of it",
    ),
)


@dataclass(frozen=True)
class Kept:
    """A node that stays in a higher precision than was asked for.

    Attributes:
        node: its name in the graph, which begins with the module it comes from.
        operator: of the standard set.
        part: see `Rule`.
        reason: likewise.
    """

    node: str
    operator: str
    part: str
    reason: str

    @property
    def module(self) -> str:
        """The module of the network it comes from, "encoder_level1.0.attn"."""
        path = self.node.split(".")
        known = [i for i, name in enumerate(path) if name in ("attn", "ffn", "layers")]
        return ".".join(path[: known[0] + 1]) if known else "output"


def kept_nodes(proto: onnx.ModelProto) -> list[Kept]:
    """Return what the rules keep in float32, in the order of computation.

    Nodes that only move values are not listed: they compute nothing.
    """
    return [
        Kept(node.name, node.op_type, rule.part, rule.reason)
        for node in proto.graph.node
        for rule in RULES
        if node.op_type not in MOVES and re.search(rule.pattern, node.name)
    ]


def fp16_from_fp32(proto: onnx.ModelProto, *, low_io: bool = False) -> onnx.ModelProto:
    """Return the float16 form of a float32 export, strongly typed; `proto` is not changed.

    Args:
        proto: what `drs-export onnx` wrote, in deployment form.
        low_io: whether input and output are float16 too; by default they stay float32.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
    """
    return low_from_fp32(proto, "fp16", low_io=low_io)


def bf16_from_fp32(proto: onnx.ModelProto, *, low_io: bool = False) -> onnx.ModelProto:
    """Return the bfloat16 form, opset 22; see `fp16_from_fp32`."""
    return low_from_fp32(proto, "bf16", low_io=low_io)


def low_from_fp32(
    proto: onnx.ModelProto, precision: Precision, *, low_io: bool = False
) -> onnx.ModelProto:
    """Type a model by the rules and say so in its metadata.

    Args:
        proto: float32, deployment form; with quantisation in it for "int8" and "fp8".
        precision: what is asked for.
        low_io: see `fp16_from_fp32`.

    Raises:
        ExportError: not a float32 model of ours in deployment form.
    """
    check_convertible(proto)
    raised = onnx.ModelProto()
    raised.CopyFrom(proto)
    _raise_opset(raised, OPSETS[precision])
    names = [kept.node for kept in kept_nodes(proto)]
    made = typed(raised, LOW[precision], names, low_io=low_io)
    metadata = metadata_of(proto) | {METADATA_KEY: precision}
    if low_io:
        _set_contract_dtype(metadata, made)
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, dict(sorted(metadata.items())))
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the converted graph is not valid ONNX: {error}") from error
    return made


def check_convertible(proto: onnx.ModelProto, source: str = "the model") -> None:
    """Raise ExportError unless a model is float32, ours, and in deployment form."""
    metadata = metadata_of(proto)
    if METADATA_KEY in metadata:
        raise ExportError(
            f"{source} is in {metadata[METADATA_KEY]} already; convert the float32 file that "
            "`drs-export onnx` wrote"
        )
    if has_pixel_io(proto):
        raise ExportError(
            f"{source} takes uint8 pixels; convert the file that was exported with --io float32, "
            "and give --io uint8 there"
        )
    if metadata.get("form") != "deployed":
        raise ExportError(
            f"{source} is not in deployment form, whose parts are known by name; export it with "
            "`drs-export onnx`, without --plain"
        )
    parts = Counter(kept.part for kept in kept_nodes(proto))
    missing = {"scores", "selection", "norm", "final sum"} - set(parts)
    if missing:
        raise ExportError(
            f"{source} has no nodes named for {', '.join(sorted(missing))}: an older version made "
            "it; export it again"
        )


def metadata_of(proto: onnx.ModelProto) -> dict[str, str]:
    """Return a model's metadata by key."""
    return {prop.key: prop.value for prop in proto.metadata_props}


def _raise_opset(proto: onnx.ModelProto, opset: int) -> None:
    """Declare a later operator set; none of our operators changed its meaning from 18 on."""
    for declared in proto.opset_import:
        if declared.domain == "":
            declared.version = max(declared.version, opset)
    needed = onnx.helper.find_min_ir_version_for(proto.opset_import)
    proto.ir_version = max(proto.ir_version, needed)


def _set_contract_dtype(metadata: dict[str, str], made: onnx.ModelProto) -> None:
    contract = json.loads(metadata["contract"])
    dtype = made.graph.input[0].type.tensor_type.elem_type
    contract["dtype"] = onnx.TensorProto.DataType.Name(dtype).lower()
    metadata["contract"] = json.dumps(contract, sort_keys=True)
