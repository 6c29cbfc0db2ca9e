"""What each group of nodes costs when it alone has a lower precision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import numpy_helper

from drsformer.context import QUIET, Context

from ..mixed_precision import LOW_DTYPES, mixed_precision_graph
from ..precision_rules import MOVES, convolutions, kept_nodes
from ..quantize import QUANTIZED_DTYPES, quantized_graph
from .evaluator import Evaluator, Quality, mean_quality
from .groups import groups_of


@dataclass(frozen=True)
class GroupCost:
    """The cost of one group, measured with all else in float32.

    Attributes:
        group: see `group_of`.
        nodes: names of its nodes.
        weight_bytes: of its weights in float32.
        quality: the mean over the images.
    """

    group: str
    nodes: tuple[str, ...]
    weight_bytes: int
    quality: Quality

    @property
    def sort_key(self) -> tuple[float, float]:
        """Orders groups by cost: dB lost against targets where there are any, then against fp32."""
        return (self.quality.y_psnr_drop_db or 0.0, -self.quality.psnr_db)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "group": self.group,
            "nodes": list(self.nodes),
            "weight_bytes": self.weight_bytes,
            "quality": self.quality.to_dict(),
        }


def sensitivity(
    proto: onnx.ModelProto,
    evaluator: Evaluator,
    precision: str,
    scales: Mapping[str, float] | None = None,
    *,
    only: Sequence[str] | None = None,
    context: Context = QUIET,
) -> list[GroupCost]:
    """Lower the precision of each group alone and measure the result.

    Args:
        proto: a float32 model in deployment form.
        evaluator: opened on the same model.
        precision: "int8" or "fp8", which lower convolutions; "fp16" or "bf16", which lower
            every node that the rules do not keep.
        scales: by tensor name, for "int8" and "fp8".
        only: names of the nodes that may be lowered; by default all that can be.
        context: told the progress.

    Returns:
        A cost for each group, in the order of computation.
    """
    quantized = QUANTIZED_DTYPES.get(precision)
    nodes = convolutions(proto) if quantized else _computing(proto)
    if only is not None:
        nodes = [node for node in nodes if node.name in set(only)]
    all_names = {node.name for node in proto.graph.node}
    costs = []
    groups = groups_of(nodes)
    for number, (group, names) in enumerate(groups.items()):
        context.step(f"measuring {group}")
        context.advance(number, len(groups))
        if quantized:
            lowered = quantized_graph(proto, scales or {}, names, quantized)
        else:
            lowered = mixed_precision_graph(proto, LOW_DTYPES[precision], all_names - set(names))
        quality = mean_quality(evaluator.evaluate(lowered, with_fp32_top_k=False))
        costs.append(GroupCost(group, tuple(names), _weight_bytes(proto, names), quality))
    return costs


def _computing(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that compute something and are not kept by a rule."""
    kept = {kept.node for kept in kept_nodes(proto)}
    return [n for n in proto.graph.node if n.op_type not in MOVES and n.name not in kept]


def _weight_bytes(proto: onnx.ModelProto, names: Sequence[str]) -> int:
    chosen = set(names)
    read = {name for node in proto.graph.node if node.name in chosen for name in node.input}
    return sum(
        numpy_helper.to_array(tensor).nbytes
        for tensor in proto.graph.initializer
        if tensor.name in read
    )


def groups_to_keep(
    costs: Sequence[GroupCost], drop_of: Callable[[Sequence[str]], float], budget: float
) -> list[GroupCost]:
    """Return the groups to keep in float16 so that the others cost no more than a budget.

    The most costly groups are kept first. Where the budget cannot be met, all groups are kept.

    Args:
        costs: of every group that could be lowered.
        drop_of: lowers everything but the given nodes and returns the loss, dB.
        budget: the loss allowed, dB.
    """
    kept: list[GroupCost] = []
    drop = drop_of([])
    for cost in sorted(costs, key=lambda cost: cost.sort_key, reverse=True):
        if drop <= budget:
            break
        kept.append(cost)
        drop = drop_of([name for group in kept for name in group.nodes])
    return kept
