import copy
import functools

import pytest
import torch

import mgd_helpers.baselines.trained as module
from mgd_helpers.baselines.real_images import random_real
from mgd_helpers.baselines.trained import finetune_minimax, match_distributions
from mgd_helpers.data.datasets import ImageSet
from mgd_helpers.encoding.latents import encode
from mgd_helpers.seeding import generator
from mgd_helpers.students.augmentation import apply_augmentation, draw_augmentation
from mgd_helpers.students.networks import build


@pytest.fixture
def start(waves):
    return random_real(waves.train, images_per_class=2, seed=0)


def matched(start, waves, **options):
    return match_distributions(start, waves.train, **({"steps": 3, "batch_size": 4, "width": 4} | options))


def flat(network):
    return torch.cat([weight.flatten() for weight in network.state_dict().values()])


def weights(pipe):
    return flat(pipe.transformer)


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


def test_class_means_come_nearer_to_those_of_the_real_images(start, waves, monkeypatch):
    monkeypatch.setattr(module, "draw_augmentation", lambda *_, **__: {})  # or the aim would be another one
    found = matched(start, waves, steps=200, batch_size=24, width=8, learning_rate=0.03)
    assert gap(found, waves) < 0.95 * gap(start, waves)


def test_steps_are_those_of_the_plain_loop_over_images(start, waves):
    found = matched(start, waves, learning_rate=0.5, seed=5)
    draw, images, velocity = generator(5), start.images.clone(), torch.zeros_like(start.images)
    for _ in range(3):
        seed = torch.randint(2**62, (1,), generator=draw).item()
        features = build("convnet3", channels=1, n_classes=2, image_size=16, width=4, seed=seed).features
        batches = [waves.train.of_class(label)[torch.randint(6, (4,), generator=draw)] for label in (0, 1)]
        drawn = draw_augmentation("dsa", (1, 1, 16, 16), draw=draw)
        images.requires_grad_(True)
        loss = 0.0
        for batch, own in zip(batches, images.split(2), strict=True):
            means = [
                sum(features(apply_augmentation(x[None], drawn)) for x in part) / len(part) for part in (batch, own)
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


def literal_minimax(pipe, train, *, steps, seed, known, batch_size, learning_rate, memory, real, generated, label_drop):
    """The weights after each step, image by image, from the formula on top of the module."""
    dit, draw, optimizer = copy.deepcopy(pipe.transformer).requires_grad_(True), generator(seed), torch.optim.AdamW
    optimizer = optimizer(dit.parameters(), lr=learning_rate, weight_decay=0)
    latents, past_real, past_generated = encode(pipe.vae, train.images), {0: [], 1: []}, {0: [], 1: []}
    for _ in range(steps):
        rows = torch.randint(len(latents), (batch_size,), generator=draw)
        timesteps = torch.randint(1000, (batch_size,), generator=draw)
        epsilons = torch.randn(batch_size, *latents.shape[1:], generator=draw)
        dropped = torch.rand(batch_size, generator=draw) < label_drop
        errors, farthest, nearest, seen = [], [], [], []
        for row, timestep, epsilon, drop in zip(rows, timesteps, epsilons, dropped, strict=True):
            share, clean, label = pipe.scheduler.alphas_cumprod[timestep], latents[row], train.labels[row].item()
            noisy = share.sqrt() * clean + (1 - share).sqrt() * epsilon
            shown = torch.tensor([1000 if drop else known[label]])
            predicted = dit(noisy[None], timestep=timestep[None], class_labels=shown).sample[0]
            denoised = (noisy - (1 - share).sqrt() * predicted) / share.sqrt()
            errors.append((predicted - epsilon).square().mean())
            cosine = functools.partial(torch.cosine_similarity, denoised.flatten(), dim=0)
            if past_real[label] and not drop:
                farthest.append(1 - min(cosine(other) for other in past_real[label][-memory:]))
            if past_generated[label] and not drop:
                nearest.append(max(cosine(other) for other in past_generated[label][-memory:]))
            seen.append((label, clean.flatten(), None if drop else denoised.detach().flatten()))
        loss = sum(errors) / batch_size
        if farthest:
            loss = loss + real * sum(farthest) / len(farthest)
        if nearest:
            loss = loss + generated * sum(nearest) / len(nearest)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for label, clean, denoised in seen:
            past_real[label].append(clean)
            past_generated[label] += [] if denoised is None else [denoised]
        yield flat(dit)


def test_a_fine_tune_is_the_formula_step_by_step(tiny, waves, monkeypatch):
    # Adam divides by the gradient's size, and where that is nothing, rounding becomes a step: not with this epsilon
    monkeypatch.setattr(torch.optim, "AdamW", functools.partial(torch.optim.AdamW, eps=1e-3))
    options = {"batch_size": 8, "learning_rate": 1e-2, "memory": 3, "label_drop": 0.3, "seed": 4}
    literal = literal_minimax(tiny, waves.train, steps=3, known=[7, 3], real=2.0, generated=3.0, **options)
    for step, expected in enumerate(literal, 1):
        tuned = finetune_minimax(
            tiny, waves.train, steps=step, class_labels=[7, 3], weight_real=2.0, weight_generated=3.0, **options
        )
        torch.testing.assert_close(weights(tuned), expected, rtol=1e-4, atol=1e-5)


def test_the_noise_is_predicted_better_step_by_step(tiny, waves):
    clean, labels = encode(tiny.vae, waves.train.images).repeat(20, 1, 1, 1), waves.train.labels.repeat(20)
    timesteps = torch.randint(1000, (240,), generator=generator(7))
    epsilon = torch.randn(clean.shape, generator=generator(8))
    noisy = tiny.scheduler.add_noise(clean, epsilon, timesteps)

    @torch.no_grad()
    def error(pipe):
        predicted = pipe.transformer(noisy, timestep=timesteps, class_labels=labels).sample
        return (predicted - epsilon).square().mean().item()

    errors = [error(finetune_minimax(tiny, waves.train, steps=steps, learning_rate=1e-2)) for steps in (20, 80)]
    assert error(tiny) > 1.1 * errors[0] > 1.1 * 1.1 * errors[1]


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


def test_what_does_not_fit_is_refused(tiny, waves):
    with pytest.raises(ValueError, match="latents must be those of the 12 training images; got 2"):
        finetune_minimax(tiny, waves.train, steps=1, latents=torch.zeros(2, 4, 8, 8))
    with pytest.raises(ValueError, match="class_labels must be one per class, 2; got 1"):
        finetune_minimax(tiny, waves.train, steps=1, class_labels=[3])
    tiny.scheduler.register_to_config(prediction_type="v_prediction")
    with pytest.raises(ValueError, match="pipe must predict noise, prediction_type 'epsilon'; got 'v_prediction'"):
        finetune_minimax(tiny, waves.train, steps=1)


@pytest.mark.parametrize("name", ["steps", "batch_size", "memory"])
def test_numbers_below_one_are_refused(start, tiny, waves, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1; got 0"):
        finetune_minimax(tiny, waves.train, **({"steps": 1} | {name: 0}))
    if name != "memory":
        with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1; got 0"):
            matched(start, waves, **{name: 0})
