import pytest
import torch

import mgd_helpers.baselines.distribution_matching as module
from mgd_helpers import seeding
from mgd_helpers.baselines.distribution_matching import match_distributions
from mgd_helpers.baselines.real_images import random_real
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.students.augmentation import apply_augmentation, random_augmentation
from mgd_helpers.students.networks import build


@pytest.fixture
def start(waves):
    return random_real(waves.train, images_per_class=2, seed=0)


def matched(start, waves, **options):
    return match_distributions(start, waves.train, **({"steps": 3, "batch_size": 4, "width": 4} | options))


def test_images_move_by_seed_and_stay_in_range(start, waves):
    one, same, other = (matched(start, waves, seed=seed, learning_rate=5.0) for seed in (0, 0, 1))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert not torch.equal(one.images, start.images)
    assert one.images.abs().max() <= 1
    assert torch.equal(one.labels, start.labels)


@torch.no_grad()
def gap(images, waves):
    """How far class means are apart, on average over networks that the training did not see."""
    total = 0.0
    for seed in range(20):
        features = build("convnet3", channels=1, n_classes=2, image_size=16, width=8, seed=seed).features
        for label in (0, 1):
            apart = features(images.of_class(label)).mean(0) - features(waves.train.of_class(label)).mean(0)
            total += apart.square().sum().item()
    return total


@pytest.mark.slow
def test_class_means_come_nearer_to_those_of_the_real_images(start, waves, monkeypatch):
    monkeypatch.setattr(module, "random_augmentation", lambda *_, **__: {})  # or the aim would be another one
    found = matched(start, waves, steps=200, batch_size=24, width=8, learning_rate=0.03)
    assert gap(found, waves) < 0.95 * gap(start, waves)


def test_steps_are_those_of_the_plain_loop_over_images(start, waves):
    found = matched(start, waves, learning_rate=0.5, seed=5)
    generator, images, velocity = seeding.generator(5), start.images.clone(), torch.zeros_like(start.images)
    for _ in range(3):
        seed = torch.randint(2**62, (1,), generator=generator).item()
        features = build("convnet3", channels=1, n_classes=2, image_size=16, width=4, seed=seed).features
        batches = [waves.train.of_class(label)[torch.randint(6, (4,), generator=generator)] for label in (0, 1)]
        parameters = random_augmentation("dsa", (1, 1, 16, 16), generator=generator)
        images.requires_grad_(True)
        loss = 0.0
        for batch, own in zip(batches, images.split(2), strict=True):
            means = [
                sum(features(apply_augmentation(x[None], parameters)) for x in part) / len(part)
                for part in (batch, own)
            ]
            loss = loss + (means[0] - means[1]).square().sum()
        velocity = 0.5 * velocity + torch.autograd.grad(loss, images)[0]
        images = (images.detach() - 0.5 * velocity).clamp(-1, 1)
    torch.testing.assert_close(found.images, images, rtol=1e-4, atol=1e-5)


def test_sets_that_do_not_fit_are_refused(start, waves):
    turned = ImageSet(start.images, start.labels.flip(0))
    with pytest.raises(
        ValueError, match="start must hold equally many images of each of the 2 classes, in class order"
    ):
        matched(turned, waves)
    with pytest.raises(ValueError, match=r"start must have images \[1, 16, 16\], like train; got \[1, 8, 8\]"):
        matched(ImageSet(start.images[..., :8, :8], start.labels), waves)


@pytest.mark.parametrize("name", ["steps", "batch_size", "width"])
def test_numbers_below_one_are_refused(start, waves, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1; got 0"):
        matched(start, waves, **{name: 0})
