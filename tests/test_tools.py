"""The training tools: true gradients, repeatable rain, and runs that can be resumed."""

import cv2
import numpy as np
import pytest
import torch
import train_demo
import train_ops
import training_rain
from train_demo import Crops, Settings, Training
from training_rain import KINDS, pair_from_clean, real_rain

from drsformer.export.deployment import deployment_from_model

MOST_MIST, DARKEST_MIST = 0.12, 0.6  # of `training_rain.misty`
TRAINING = Settings(batch=1, crop=64, late_batch=1, late_crop=64)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [(8, 10), (2, 4)])
def test_depthwise_gradients_are_pytorchs(kernel, size):
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


def test_the_networks_gradients_are_the_plain_networks(goldens):
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


def picture(seed: int = 5, height: int = 72, width: int = 88) -> np.ndarray:
    """Return a random picture without sharp edges, uint8 (height, width, 3)."""
    corners = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8, endpoint=False)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def no_camera(monkeypatch):
    """Leave out the camera's noise and compression."""
    monkeypatch.setattr(training_rain, "NOISE_SHARE", 0.0)
    monkeypatch.setattr(training_rain, "JPEG_SHARE", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_pairs(kind):
    first, again, other = (
        pair_from_clean(picture(), kind, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    for image in first:
        assert image.shape == picture().shape and image.dtype == np.uint8
    assert [image.tobytes() for image in first] == [image.tobytes() for image in again]
    if kind != "none":
        assert first[0].tobytes() != other[0].tobytes()


def test_no_rain_leaves_the_image_alone(no_camera):
    rainy, target = pair_from_clean(picture(), "none", np.random.default_rng(1))
    assert (rainy == picture()).all() and (target == picture()).all()


@pytest.mark.parametrize("share", ["NOISE_SHARE", "JPEG_SHARE"])
def test_the_camera_changes_the_rainy_image_and_its_target_alike(monkeypatch, no_camera, share):
    monkeypatch.setattr(training_rain, share, 1.0)
    rainy, target = pair_from_clean(picture(), "none", np.random.default_rng(1))
    assert (rainy == target).all() and (rainy != picture()).any()


@pytest.mark.parametrize("mist", [0.0, 1.0])
def test_rain_darkens_a_picture_by_no_more_than_mist_can(monkeypatch, mist):
    monkeypatch.setattr(training_rain, "MIST_SHARE", mist)
    most = mist * 255 * MOST_MIST * (1 - DARKEST_MIST) + 0.5  # half a level of rounding
    for seed in range(12):
        rainy = real_rain(picture(), np.random.default_rng(seed))
        assert (picture().astype(int) - rainy).max() <= most


@pytest.fixture
def training(monkeypatch):
    """Return what makes a training at step 0: the same one each time."""
    monkeypatch.setattr(train_demo, "TEXTURE_POOL", 2)

    def fresh():
        return Training(TRAINING, Crops([picture(1), picture(2, 96, 80)], TRAINING), None)

    return fresh


def weights(run: Training) -> list[bytes]:
    """Return the bytes of the network's weights and of their averages."""
    models = (run.model, run.average.model)
    return [tensor.numpy().tobytes() for m in models for tensor in m.state_dict().values()]


def test_a_training_that_is_resumed_goes_on_as_if_it_had_not_stopped(training, tmp_path):
    run, resumed = training(), training()
    for share in (0.1, 0.2):
        run.advance(share)
    run.write(tmp_path / "x.state")
    loss = run.advance(0.3)
    resumed.read(tmp_path / "x.state")
    assert resumed.advance(0.3) == loss
    assert resumed.step == run.step == 3 and weights(resumed) == weights(run)


def test_a_seed_gives_the_same_weights_twice(training):
    runs = [training(), training()]
    losses = [[run.advance(0.1 * step) for step in range(5)] for run in runs]
    assert losses[0] == losses[1] and weights(runs[0]) == weights(runs[1])
