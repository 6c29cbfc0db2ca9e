"""The deployment form computes what the plain network computes."""

from typing import get_args

import numpy as np
import pytest
import torch

from drsformer.export.deployment import Runtime, deployment_from_model
from drsformer.export.ops import TorchOps


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 5e-6)])
def test_equals_the_plain_network(golden, dtype, tolerance):
    """This holds for every runtime; the plain network is slow, so it runs once."""
    model = golden.model().to(dtype)
    image = torch.from_numpy(golden.arrays["input"]).to(dtype)
    with torch.inference_mode():
        plain = model(image)
        for runtime in get_args(Runtime):
            deployed = deployment_from_model(model, runtime)(TorchOps(), image)
            assert (deployed - plain).abs().max() < tolerance, runtime


def test_gradients_reach_every_parameter_and_agree(goldens):
    image = torch.from_numpy(goldens["bias_mefc"].arrays["input"]).double()
    gradients = []
    for run in (lambda m: m(image), lambda m: deployment_from_model(m)(TorchOps(), image)):
        model = goldens["bias_mefc"].model().double()
        run(model).square().mean().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for plain, deployed in zip(*gradients, strict=True):
        assert deployed is not None and torch.allclose(plain, deployed, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_image_stays_finite_and_close(goldens, value):
    """Flat images tie scores; the two must still agree to half an 8-bit level."""
    model = goldens["small_mefc"].model()
    image = torch.full((1, 3, 32, 32), value)
    with torch.inference_mode():
        plain, deployed = model(image), deployment_from_model(model)(TorchOps(), image)
    assert deployed.isfinite().all()
    assert (deployed - plain).abs().max() < 0.5 / 255, np.abs(deployed - plain).max()
