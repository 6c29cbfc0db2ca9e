"""The training tool's fast gradients are the true gradients."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from drsformer.export.deployment import deployment_from_model

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(scope="module")
def train_ops():
    spec = importlib.util.spec_from_file_location("train_ops", TOOLS / "train_ops.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_ops"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [(8, 10), (2, 4)])
def test_depthwise_gradients_are_pytorchs(train_ops, kernel, size):
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    plain = torch.nn.functional.conv2d(x, weight, padding=kernel // 2, groups=3)
    fast = train_ops.depthwise(x, weight)
    assert torch.allclose(fast, plain)
    direction = torch.randn_like(plain)
    for mine, theirs in zip(
        torch.autograd.grad(fast, (x, weight), direction),
        torch.autograd.grad(plain, (x, weight), direction),
        strict=True,
    ):
        assert torch.allclose(mine, theirs)


def test_the_networks_gradients_are_the_plain_networks(train_ops, goldens):
    image = torch.from_numpy(goldens["small_mefc"].arrays["input"]).double()
    gradients = []
    for run in (
        lambda m: m(image),
        lambda m: deployment_from_model(m)(train_ops.TrainOps(), image),
    ):
        model = goldens["small_mefc"].model().double()
        run(model).square().mean().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for plain, fast in zip(*gradients, strict=True):
        assert torch.allclose(plain, fast, rtol=1e-6, atol=1e-12)
