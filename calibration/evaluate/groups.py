"""Groups of nodes whose precision is lowered, or kept, together."""

import re

import onnx

# the parts of a block: label, and regular expression for the names of their nodes
_PARTS = (
    ("qkv", r"\.attn\.qkv\."),
    ("qkv depthwise", r"\.attn\.qkv_dwconv\."),
    ("project_out", r"\.attn\.apply\."),
    ("feed-forward in", r"\.ffn\.project_in\."),
    ("feed-forward depthwise", r"\.ffn\..*\.(first|second)$"),
    ("feed-forward out", r"\.ffn\..*\.project_out$"),
    ("MEFC", r"\.layers\."),
)


def group_of(node: str) -> str:
    """Return the group of a node by its name: "latent qkv", "refinement MEFC", "up4_3"."""
    stage = node.split(".")[0]
    part = next((name for name, pattern in _PARTS if re.search(pattern, node)), None)
    return f"{stage} {part}" if part else stage


def groups_of(nodes: list[onnx.NodeProto]) -> dict[str, list[str]]:
    """Return node names by group, in the order of computation."""
    groups: dict[str, list[str]] = {}
    for node in nodes:
        groups.setdefault(group_of(node.name), []).append(node.name)
    return groups
