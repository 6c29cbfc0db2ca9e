"""What stays in a higher precision, and why: float32 in every file, float16 in a quantised one.

The rules name parts of the network, by the names that the export gives its nodes, and come from
measurement (docs/numerics.md, "What stays in float32"). They hold from 64 x 64 to 1920 x 1080.
"""

import re
from dataclasses import dataclass
from typing import Literal

import onnx

LowPrecision = Literal["fp16", "bf16", "int8", "fp8"]

# operators that move values and compute nothing
MOVES = frozenset(
    [
        "Reshape",
        "Transpose",
        "Identity",
        "Split",
        "Concat",
        "Gather",
        "Slice",
        "DepthToSpace",
        "Shape",
    ]
)

# Dense convolutions that stay float16 by default: pattern of the name, and reason. On the shipped
# checkpoint they cause nearly all of the 0.2 dB that the worst of five images loses if they are
# quantised too.
KEPT_IN_FP16 = (
    (
        r"^(patch_embed|output)$",
        "computes on the image itself, where a rounding to 8 bits would be visible",
    ),
    (r"\.attn\.qkv\.[qk]$", "feeds the scores that the top-k selects by"),
    (
        r"^(encoder_level0|encoder_level1|down1_2)\b",
        "comes before the second level, and its errors move every selection behind it",
    ),
    (
        r"^reduce_chan_level",
        "reads a concatenation: OpenVINO 2026.4 computes that wrongly in INT8 (22 dB)",
    ),
)


@dataclass(frozen=True)
class Rule:
    """A part of the network that stays float32.

    Attributes:
        part: its name in tables.
        pattern: regular expression for the names of its nodes.
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
class KeptNode:
    """A node that stays in a higher precision than was asked for.

    Attributes:
        node: its name in the graph, which begins with the module it comes from.
        operator: its ONNX operator.
        part: the part of the network (see `Rule`), "float16" or "pixels".
        reason: why, in a sentence.
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


def kept_nodes(proto: onnx.ModelProto) -> list[KeptNode]:
    """Return what the rules keep in float32, in the order of computation.

    Nodes that only move values are not listed: they compute nothing.
    """
    return [
        KeptNode(node.name, node.op_type, rule.part, rule.reason)
        for node in proto.graph.node
        for rule in RULES
        if node.op_type not in MOVES and re.search(rule.pattern, node.name)
    ]


def kept_parts(proto: onnx.ModelProto) -> dict[str, str]:
    """Return the nodes that the rules keep in float32, name to part of the network."""
    return {kept.node: kept.part for kept in kept_nodes(proto)}


def quantizable(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the convolutions that are quantised by default, in the order of computation."""
    return [node for node, reason in convolutions_with_reasons(proto) if reason is None]


def convolutions_with_reasons(
    proto: onnx.ModelProto,
) -> list[tuple[onnx.NodeProto, str | None]]:
    """Return every convolution with the reason why it stays float16, None if it is quantised."""
    weights = {tensor.name: tensor.dims for tensor in proto.graph.initializer}

    def reason(node: onnx.NodeProto) -> str | None:
        if weights[node.input[1]][1] == 1:
            return "depthwise: bound by memory, and slower with quantisation around it"
        return next((why for pattern, why in KEPT_IN_FP16 if re.search(pattern, node.name)), None)

    return [(node, reason(node)) for node in convolutions(proto)]


def convolutions(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return every convolution but the averages of the norms, which use the same operator."""
    return [n for n in proto.graph.node if n.op_type == "Conv" and ".norm." not in n.name]
