"""Each rewrite equals what it replaces, and refuses what it cannot replace."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drsformer.errors import ExportError
from drsformer.export.ops import Conv, TorchOps, conv_from_module, split_outputs
from drsformer.export.rewrites.channel_order import (
    WIDTH_MULTIPLE,
    channel_order,
    parts_without_padding,
)
from drsformer.export.rewrites.fold_experts import fold_mefc, fold_step
from drsformer.export.rewrites.fold_norm import fold_norm, normalise
from drsformer.export.rewrites.fold_project_out import apply_map, projection_per_head
from drsformer.export.rewrites.norms_after_product import scores_from_raw
from drsformer.export.rewrites.one_top_k import merged_map
from drsformer.export.rewrites.split_feed_forward import split_feed_forward
from drsformer.export.rewrites.strided_downsample import strided_downsample
from drsformer.model import (
    MEFC,
    ExpertStep,
    FeedForward,
    LayerNorm,
    sparse_softmax,
    top_k_counts,
)

EXACT = 1e-11  # both sides in float64: only the order of the sums differs

ops = TorchOps()


def randomised(module):
    """Give a module float64 parameters that hide nothing (no zeros, no ones)."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return module.double().requires_grad_(False)


def image(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def apply(conv, x):
    return ops.conv("", x, conv)


@pytest.mark.parametrize("kind", ["WithBias", "BiasFree"])
@pytest.mark.parametrize("bias", [False, True])
def test_fold_norm_equals_norm_then_convolution(kind, bias):
    norm, conv = randomised(LayerNorm(6, kind)), randomised(nn.Conv2d(6, 10, 1, bias=bias))
    x = image(2, 6, 5, 7)
    folded = fold_norm(norm, conv_from_module(conv))
    for pixels in (x, x.flatten(2)):
        normal = normalise(ops, pixels, channels=6, centred=kind == "WithBias")
        result = apply(folded, normal.reshape(x.shape))
        assert (result - conv(norm(x))).abs().max() < EXACT


@pytest.mark.parametrize("conv", [nn.Conv2d(6, 6, 3), nn.Conv2d(6, 6, 1, groups=2)])
def test_fold_norm_refuses_kernels_and_groups(conv):
    with pytest.raises(ExportError, match="fold_norm"):
        fold_norm(LayerNorm(6, "WithBias"), conv_from_module(conv))


@pytest.mark.parametrize("heads", [1, 3])
def test_norms_after_product_equal_norms_before(heads):
    q, k = image(2, heads * 5, 4, 10), image(2, heads * 5, 4, 10)
    temperature = image(heads, 1, 1)
    rows, columns = (F.normalize(t.reshape(2, heads, 5, 40), dim=-1) for t in (q, k))
    expected = rows @ columns.transpose(-2, -1) * temperature
    scores = scores_from_raw(ops, q, k, temperature, heads=heads, width=5)
    assert (scores - expected).abs().max() < EXACT


def test_a_row_of_zeros_scores_zero_not_nan():
    q, k = torch.zeros(1, 4, 3, 3, dtype=torch.float64), image(1, 4, 3, 3)
    assert scores_from_raw(ops, q, k, torch.ones(1, 1, 1), heads=1, width=4).eq(0).all()


@pytest.mark.parametrize(("heads", "width"), [(1, 48), (3, 18), (2, 7)])
def test_one_top_k_equals_four_sparse_softmaxes(heads, width):
    scores = image(2, heads, width, width) * 3
    gains = [image(1) for _ in range(4)]
    counts = top_k_counts(width)
    expected = sum(g * sparse_softmax(scores, k) for g, k in zip(gains, counts, strict=True))
    result = merged_map(ops, scores, gains, counts, heads=heads, width=width)
    assert (result - expected).abs().max() < EXACT


def test_a_tie_at_the_threshold_keeps_every_tied_entry():
    """The row 3 1 1 1 0 0, k = 2: threshold semantics keep 3 and all three 1s."""
    scores = torch.tensor([[[[3.0, 1, 1, 1, 0, 0]] * 6]], dtype=torch.float64)
    gains = [torch.ones(1, dtype=torch.float64)]
    result = merged_map(ops, scores, gains, [2], heads=1, width=6)[0, 0, 0]
    expected = torch.tensor([3.0, 1, 1, 1], dtype=torch.float64).softmax(0)
    assert torch.allclose(result[:4], expected) and result[4:].eq(0).all()


def test_a_row_of_equal_scores_is_averaged():
    result = merged_map(ops, torch.ones(1, 1, 4, 4), [torch.ones(1)], [2], heads=1, width=4)
    assert torch.allclose(result, torch.full((1, 1, 4, 4), 0.25))


def test_heads_of_one_channel_are_refused():
    with pytest.raises(ExportError, match="two channels"):
        merged_map(ops, torch.ones(1, 4, 1, 1), [torch.ones(1)] * 4, (0, 0, 0, 0), heads=4, width=1)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_fold_project_out_equals_product_then_convolution(heads):
    conv = randomised(nn.Conv2d(8, 8, 1, bias=False))
    attention, values = image(2, heads, 8 // heads, 8 // heads), image(2, 8, 5, 6)
    per_head = attention @ values.reshape(2, heads, 8 // heads, 30)
    expected = conv(per_head.reshape(2, 8, 5, 6)).flatten(2)
    projection = projection_per_head(conv_from_module(conv), heads)
    assert (apply_map(ops, attention, values, projection) - expected).abs().max() < EXACT


def test_fold_project_out_refuses_a_kernel():
    with pytest.raises(ExportError, match="fold_project_out"):
        projection_per_head(Conv(torch.zeros(8, 8, 3, 3)), 2)


# even and odd; 1 has only the middle group; 33 pads from 17 to 32; 127, 128 and 191 have parts
@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 15, 16, 33, 42, 127, 128, 191])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("parts", [1, 4])
def test_split_feed_forward_equals_the_grouped_one(hidden, bias, parts):
    ffn = randomised(FeedForward(6, hidden, bias))
    x, residual = image(2, 6, 9, 7), image(2, 6, 9, 7)
    split = split_feed_forward(ffn, conv_from_module(ffn.project_in), parts)
    assert (split(ops, x, residual) - residual - ffn(x)).abs().max() < EXACT * hidden


@pytest.mark.parametrize("hidden", [1, 2, 5, 8, 14, 15, 127])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_every_group_is_in_one_slice_and_reads_its_own_channels(hidden, parts):
    """This holds for parts with too few groups too, although padding never allows them."""
    order = channel_order(hidden, parts)
    groups = [group for one in order.slices for group in one.groups]
    assert sorted(groups) == list(range(hidden))
    for one in order.slices:
        inputs_0, inputs_1 = (order.orders[name] for name in one.orders)
        for place, group in enumerate(one.groups):
            read = inputs_0[place], inputs_1[place]  # of [a, b]; each holds channels 0 to h - 1
            assert read == (2 * group % hidden, (2 * group + 1) % hidden)


@pytest.mark.parametrize(("parts", "copies"), [(1, 64), (2, 32), (4, 16)])
def test_parts_leave_a_smaller_copy_where_the_width_is_odd(parts, copies):
    orders = channel_order(127, parts).orders
    assert sum(map(len, orders.values())) - 127 in (copies, copies + 1)


@pytest.mark.parametrize(
    ("hidden", "most", "parts"),
    [(127, 4, 4), (255, 4, 4), (127, 3, 2), (85, 4, 3), (33, 4, 2), (31, 4, 1)],
)
def test_parts_never_pad_more_than_the_whole(hidden, most, parts):
    assert parts_without_padding(hidden, most) == parts


def test_split_feed_forward_pads_every_width():
    ffn = FeedForward(6, 33, bias=False)
    split = split_feed_forward(ffn, conv_from_module(ffn.project_in))
    widths = {branch.first.groups for groups in split.slices for branch in groups.branches}
    assert widths == {32} and 32 % WIDTH_MULTIPLE == 0


def test_split_feed_forward_refuses_other_groups():
    ffn = FeedForward(6, 4, bias=False)
    ffn.dwconv3x3_1 = nn.Conv2d(8, 4, 3, padding=1, groups=2)
    with pytest.raises(ExportError, match="split_feed_forward"):
        split_feed_forward(ffn, conv_from_module(ffn.project_in))


def test_folded_step_equals_the_experts_where_the_input_is_not_negative():
    step = randomised(ExpertStep(5))
    x, gates = image(2, 5, 9, 11).abs(), torch.rand(2, 8, dtype=torch.float64)
    result = fold_step(step)(ops, x, gates[:, :, None, None].split(1, dim=1))
    expected = step(x, gates)
    assert (result - expected).abs().max() < EXACT * expected.abs().max()


def test_the_steps_input_is_never_negative():
    """Rule 4 of fold_experts needs this: preprocess ends in a relu, and steps only add."""
    mefc, seen = randomised(MEFC(4)), []
    for step in mefc.layers[1]._ops:
        step.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].min()))
    mefc(image(1, 4, 8, 8))
    assert len(seen) == 4 and min(seen) >= 0


def test_folded_mefc_equals_the_plain_one():
    mefc, x = randomised(MEFC(6)), image(3, 6, 8, 10)
    expected = mefc(x)
    assert (fold_mefc(mefc)(ops, x) - expected).abs().max() < EXACT * expected.abs().max()


def test_the_pointwise_expert_keeps_two_convolutions():
    experts = fold_step(ExpertStep(4)).experts
    assert [len(expert.convs) for expert in experts] == [2, 4, 4, 4, 2, 2, 2, 1]


def test_every_gate_of_every_step_is_positive():
    """Rule 3 of fold_experts needs this: gates come out of a softmax."""
    mefc, seen = randomised(MEFC(4)), []
    for step in mefc.layers[1]._ops:
        step.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1].min()))
    mefc(image(1, 4, 8, 8))
    assert len(seen) == 4 and min(seen) > 0


@pytest.mark.parametrize("bias", [False, True])
def test_strided_downsample_equals_convolution_and_unshuffle(bias):
    conv = randomised(nn.Conv2d(6, 3, 3, padding=1, bias=bias))
    x = image(2, 6, 10, 12)
    result = apply(strided_downsample(conv_from_module(conv)), x)
    assert (result - F.pixel_unshuffle(conv(x), 2)).abs().max() < EXACT


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("groups", [1, 12])
def test_split_outputs_give_the_parts_of_the_whole(groups, bias):
    conv = conv_from_module(randomised(nn.Conv2d(12, 12, 3, padding=1, groups=groups, bias=bias)))
    x = image(2, 12, 7, 5)
    inputs = x.chunk(3, dim=1) if groups > 1 else [x] * 3
    parts = [apply(c, part) for c, part in zip(split_outputs(conv, 3), inputs, strict=True)]
    assert torch.equal(torch.cat(parts, dim=1), apply(conv, x))


def test_strided_downsample_refuses_another_kernel():
    with pytest.raises(ExportError, match="strided_downsample"):
        strided_downsample(Conv(torch.zeros(2, 2, 5, 5), padding=2))
