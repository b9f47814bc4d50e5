import pytest
import torch

import mgd_helpers.trained_baselines as module
from mgd_helpers.baselines import random_real
from mgd_helpers.data import ImageSet
from mgd_helpers.networks import build
from mgd_helpers.trained_baselines import finetune_minimax, match_distributions


@pytest.fixture
def start(waves):
    return random_real(waves.train, images_per_class=2, seed=0)


def matched(start, waves, **options):
    return match_distributions(start, waves.train, **({"steps": 3, "batch_size": 4, "width": 4} | options))


def weights(pipe):
    return torch.cat([weight.flatten() for weight in pipe.transformer.state_dict().values()])


def test_no_steps_change_nothing(start, waves):
    assert torch.equal(matched(start, waves, steps=0).images, start.images)


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
        torch.manual_seed(seed)
        features = build("convnet3", channels=1, n_classes=2, image_size=16, width=8).features
        for label in (0, 1):
            apart = features(images.of_class(label)).mean(0) - features(waves.train.of_class(label)).mean(0)
            total += apart.square().sum().item()
    return total


def test_class_means_come_nearer_to_those_of_the_real_images(start, waves, monkeypatch):
    monkeypatch.setattr(module, "draw_augmentation", lambda *_, **__: {})  # or the aim would be another one
    found = matched(start, waves, steps=200, batch_size=24, width=8, learning_rate=0.03)
    assert gap(found, waves) < 0.95 * gap(start, waves)


def test_one_step_is_the_plain_loop_over_classes(start, waves, monkeypatch):
    torch.manual_seed(0)
    network = build("convnet3", channels=1, n_classes=2, image_size=16, width=4)
    monkeypatch.setattr(module, "_random_features", lambda *_: network.features)
    monkeypatch.setattr(module, "draw_augmentation", lambda *_, **__: {})
    everything = torch.stack([waves.train.of_class(label) for label in (0, 1)])
    # all six real images of each class, in whatever order
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.arange(6))
    found = match_distributions(start, waves.train, steps=1, batch_size=6, learning_rate=0.05)
    images = start.images.clone().requires_grad_(True)
    loss = sum(
        (network.features(everything[label]).mean(0) - network.features(images[2 * label : 2 * label + 2]).mean(0))
        .square()
        .sum()
        for label in (0, 1)
    )
    loss.backward()
    expected = (images.detach() - 0.05 * images.grad).clamp(-1, 1)
    torch.testing.assert_close(found.images, expected, rtol=1e-4, atol=1e-6)


def test_sets_that_do_not_fit_are_refused(start, waves):
    turned = ImageSet(start.images, start.labels.flip(0))
    with pytest.raises(
        ValueError, match="start must hold equally many images of each of the 2 classes, in class order"
    ):
        matched(turned, waves)
    with pytest.raises(ValueError, match=r"start must have images \[1, 16, 16\] as train; got \[1, 8, 8\]"):
        matched(ImageSet(start.images[..., :8, :8], start.labels), waves)


def test_a_fine_tune_leaves_the_given_pipeline_alone(tiny, waves):
    before = weights(tiny)
    tuned = finetune_minimax(tiny, waves.train, steps=2, batch_size=4, learning_rate=1e-2)
    assert torch.equal(weights(tiny), before)
    assert not torch.equal(weights(tuned), before)
    assert tuned.vae is tiny.vae
    assert not tuned.transformer.training
    assert len(tuned(class_labels=[0, 1], num_inference_steps=2).images) == 2


def test_fine_tunes_follow_their_seed(tiny, waves):
    options = {"steps": 2, "batch_size": 4, "learning_rate": 1e-2}
    one, same, other = (weights(finetune_minimax(tiny, waves.train, seed=seed, **options)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(weights(finetune_minimax(tiny, waves.train, steps=0)), weights(tiny))


def test_weights_of_the_two_terms_matter(tiny, waves):
    options = {"steps": 4, "batch_size": 8, "learning_rate": 1e-2, "label_drop": 0.0}
    plain = weights(finetune_minimax(tiny, waves.train, weight_real=0.0, weight_generated=0.0, **options))
    for name in ("weight_real", "weight_generated"):
        one = {"weight_real": 0.0, "weight_generated": 0.0} | {name: 1.0}
        assert not torch.equal(weights(finetune_minimax(tiny, waves.train, **one, **options)), plain)


def test_the_memory_knows_the_extremes_of_its_class(draw):
    memory = module._Memory(2, 3, 4, torch.device("cpu"))
    rows, labels = draw(7, 4), torch.tensor([0, 0, 0, 0, 1, 1, 0])
    memory.add(rows, labels)
    asked = draw(3, 4)
    kept = {0: rows[[2, 3, 6]], 1: rows[[4, 5]]}  # the last three of class 0; class 1 is not full
    for least, extreme in ((True, min), (False, max)):
        found = memory.similarities(asked, torch.tensor([0, 1, 1]), least=least)
        for value, row, label in zip(found, asked, (0, 1, 1), strict=True):
            expected = extreme(torch.cosine_similarity(row, other, dim=0).item() for other in kept[label])
            assert value == pytest.approx(expected, abs=1e-5)


def test_an_empty_memory_pulls_nowhere(draw):
    memory = module._Memory(2, 3, 4, torch.device("cpu"))
    assert memory.similarities(draw(3, 4), torch.tensor([0, 1, 1]), least=True).tolist() == [1]
    assert memory.similarities(draw(3, 4), torch.tensor([0, 1, 1]), least=False).tolist() == [0]
    memory.add(draw(1, 4), torch.tensor([1]))
    assert len(memory.similarities(draw(3, 4), torch.tensor([0, 1, 1]), least=True)) == 2


def test_what_does_not_fit_the_data_is_refused(tiny, waves):
    with pytest.raises(ValueError, match="latents must be those of the 12 training images; got 2"):
        finetune_minimax(tiny, waves.train, steps=1, latents=torch.zeros(2, 4, 8, 8))
    with pytest.raises(ValueError, match="class_labels must be one per class, 2; got 1"):
        finetune_minimax(tiny, waves.train, steps=1, class_labels=[3])
