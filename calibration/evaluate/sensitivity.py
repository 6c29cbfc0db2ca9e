"""What each part of the network costs when it alone is lowered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import numpy_helper

from ..mixed_precision import LOW, typed
from ..quantize import GRIDS, quantized
from ..rules import MOVES, convolutions, kept_nodes
from .evaluator import Judge, Quality, mean_quality
from .groups import groups_of

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class GroupCost:
    """One group, lowered alone while all else stays float32.

    Attributes:
        group: see `group_of`.
        nodes: names of its operators.
        weight_bytes: of its weights in float32.
        quality: the mean over the images.
    """

    group: str
    nodes: tuple[str, ...]
    weight_bytes: int
    quality: Quality

    @property
    def badness(self) -> tuple[float, float]:
        """Sort key: dB lost against targets where there are any, then against float32."""
        return (self.quality.y_psnr_drop_db or 0.0, -self.quality.psnr_db)


def sensitivity(
    proto: onnx.ModelProto,
    judge: Judge,
    precision: str,
    scales: Mapping[str, float] | None = None,
    *,
    only: Sequence[str] | None = None,
    on_step: OnStep = lambda step: None,
) -> list[GroupCost]:
    """Lower each group alone and judge the result.

    Args:
        proto: float32, deployment form.
        judge: opened on the same model.
        precision: "int8" or "fp8", which lowers convolutions; "fp16" or "bf16", which lowers
            every operator that the rules do not keep.
        scales: by tensor name, for "int8" and "fp8".
        only: the names of the nodes that may be lowered; by default all that can be.
        on_step: told before each group.

    Returns:
        A cost for each group, in the order of computation.
    """
    grid = GRIDS.get(precision)
    nodes = convolutions(proto) if grid else _computing(proto)
    if only is not None:
        nodes = [node for node in nodes if node.name in set(only)]
    every = {node.name for node in proto.graph.node}
    costs = []
    groups = groups_of(nodes)
    for number, (group, names) in enumerate(groups.items(), 1):
        on_step(f"{group} ({number} of {len(groups)})")
        if grid:
            lowered = quantized(proto, scales or {}, names, grid)
        else:
            lowered = typed(proto, LOW[precision], every - set(names))
        quality = mean_quality(judge.judge(lowered, imposed=False))
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


def spared_to_fit(
    costs: Sequence[GroupCost], drop_of: Callable[[Sequence[str]], float], budget: float
) -> tuple[list[GroupCost], float]:
    """Give up groups, the worst first, until what is left costs no more than a budget.

    Args:
        costs: of every group that could be lowered.
        drop_of: lowers everything but the given nodes and returns the loss, dB.
        budget: the loss allowed, dB.

    Returns:
        The groups given up and the loss that is left, dB. The loss may still be above the
        budget once everything was given up.
    """
    spared: list[GroupCost] = []
    drop = drop_of([])
    for cost in sorted(costs, key=lambda c: c.badness, reverse=True):
        if drop <= budget:
            break
        spared.append(cost)
        drop = drop_of([name for c in spared for name in c.nodes])
    return spared, drop
