"""The plain network is the reference network."""

import pytest
import torch
import torch.nn.functional as F

from drsformer.config import DRSformerConfig, config_from_state_dict, hidden_from_factor
from drsformer.model import (
    Attention,
    DRSformer,
    ExpertStep,
    FeedForward,
    LayerNorm,
    sparse_softmax,
    top_k_counts,
)

# both sides compute in float64 and differ by about 1e-14; a structural mistake exceeds this by far
FLOAT64_TOLERANCE = 1e-6


def test_parameter_names_shapes_and_order_are_the_published_ones(golden):
    model = DRSformer(config_from_state_dict(golden.state))
    table = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert list(table.items()) == list(golden.table.items())


def test_the_configuration_read_from_the_tensors_is_the_constructors(golden):
    config, given = config_from_state_dict(golden.state), golden.constructor
    assert (config.dim, config.bias, config.mefc) == (given["dim"], given["bias"], given["mefc"])
    assert list(config.num_blocks) == given["num_blocks"]
    assert list(config.heads) == given["heads"]
    assert config.layer_norm == given["LayerNorm_type"]
    assert config.hidden == hidden_from_factor(given["dim"], given["ffn_expansion_factor"])


def test_output_in_float64_is_the_golden_output(golden):
    model = golden.model().double()
    with torch.inference_mode():
        output = model(torch.from_numpy(golden.arrays["input"]).double()).numpy()
    assert abs(output - golden.arrays["output"]).max() < FLOAT64_TOLERANCE


def test_every_stage_has_the_golden_mean_and_deviation(small_golden):
    model, stages = small_golden.model().double(), {}

    def keep(name):
        return lambda module, inputs, output: stages.__setitem__(name, output)

    for name, module in model.named_children():
        module.register_forward_hook(keep(name))
    with torch.inference_mode():
        model(torch.from_numpy(small_golden.arrays["input"]).double())
    wanted = [key for key in small_golden.arrays if key.startswith("stage_")]
    assert wanted
    for key in wanted:
        _, statistic, name = key.split("_", 2)
        reduce = {"mean": torch.mean, "std": lambda x, axes: x.std(axes, correction=0)}[statistic]
        found = reduce(stages[name], (0, 2, 3)).numpy()
        assert abs(found - small_golden.arrays[key]).max() < FLOAT64_TOLERANCE, key


def test_parameter_counts_are_the_papers():
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in DRSformer(DRSformerConfig(mefc=mefc)).parameters())
            for mefc in (True, False)
        ]
    assert counts == [33_655_424, 32_610_304]


def test_top_k_counts_truncate():
    assert top_k_counts(48) == (24, 32, 36, 38)
    assert top_k_counts(96) == (48, 64, 72, 76)


def test_sparse_softmax_keeps_exactly_the_largest():
    scores = torch.tensor([[[[3.0, 1.0, 2.0, 0.0]]]])
    expected = torch.tensor([3.0, 2.0]).softmax(0)
    assert torch.equal(sparse_softmax(scores, 2)[0, 0, 0, [0, 2]], expected)
    assert sparse_softmax(scores, 2)[0, 0, 0, [1, 3]].eq(0).all()


def test_layer_norm_is_pytorchs_over_channels():
    x = torch.randn(2, 6, 3, 5, dtype=torch.float64)
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (6,), eps=1e-5).permute(0, 3, 1, 2)
    assert torch.allclose(LayerNorm(6, "WithBias").double()(x), expected, atol=1e-12)


def test_bias_free_norm_does_not_centre_the_numerator():
    x = torch.randn(1, 6, 2, 2, dtype=torch.float64) + 5
    variance = x.var(1, correction=0, keepdim=True)
    expected = x / (variance + 1e-5).sqrt()
    assert torch.allclose(LayerNorm(6, "BiasFree").double()(x), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-11])
def test_features_near_zero_are_normalised_down_to_1e_12(scale):
    """The golden features are too large to show the smallest norm that is divided by."""
    attention = Attention(4, heads=1, bias=False).double()
    x = scale * torch.randn(1, 4, 3, 5, dtype=torch.float64)
    with torch.no_grad():
        found = attention(x)
        q, k, v = (t.flatten(2) for t in attention.qkv_dwconv(attention.qkv(x)).chunk(3, dim=1))
        q, k = (t / t.norm(dim=-1, keepdim=True).clamp_min(1e-12) for t in (q, k))
        scores = q @ k.transpose(-2, -1)
        attended = sum(0.2 * sparse_softmax(scores, count) @ v for count in top_k_counts(4))
        expected = attention.project_out(attended.view(1, 4, 3, 5))
    assert torch.allclose(found, expected, rtol=1e-6, atol=0)  # 0.2 is a float32


def test_expert_step_gates_scale_each_experts_output():
    step = ExpertStep(4)
    x, silent = torch.rand(1, 4, 8, 8), torch.zeros(1, 8)
    assert torch.equal(step(x, silent), x)


def test_feed_forward_keeps_the_shape():
    assert FeedForward(6, 15, bias=True)(torch.rand(1, 6, 7, 9)).shape == (1, 6, 7, 9)


@pytest.mark.parametrize("missing", ["patch_embed.proj.weight", "latent.0.attn.temperature"])
def test_a_state_dict_without_a_needed_key_is_refused(goldens, missing):
    state = {k: v for k, v in goldens["small_mefc"].state.items() if k != missing}
    with pytest.raises(KeyError, match=missing):
        config_from_state_dict(state)
