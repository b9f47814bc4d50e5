import copy
import functools

import pytest
import torch

from mgd_helpers import seeding
from mgd_helpers.baselines.minimax import _Memory, finetune_minimax
from mgd_helpers.encoding.latents import encode


def flat(network):
    return torch.cat([weight.flatten() for weight in network.state_dict().values()])


def weights(pipe):
    return flat(pipe.transformer)


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
    dit, generator = copy.deepcopy(pipe.transformer).requires_grad_(True), seeding.generator(seed)
    optimizer = torch.optim.AdamW(dit.parameters(), lr=learning_rate, weight_decay=0)
    latents, past_real, past_generated = encode(pipe.vae, train.images), {0: [], 1: []}, {0: [], 1: []}
    for _ in range(steps):
        rows = torch.randint(len(latents), (batch_size,), generator=generator)
        timesteps = torch.randint(1000, (batch_size,), generator=generator)
        epsilons = torch.randn(batch_size, *latents.shape[1:], generator=generator)
        dropped = torch.rand(batch_size, generator=generator) < label_drop
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


@pytest.mark.slow
def test_the_noise_is_predicted_better_step_by_step(tiny, waves):
    clean, labels = encode(tiny.vae, waves.train.images).repeat(20, 1, 1, 1), waves.train.labels.repeat(20)
    timesteps = torch.randint(1000, (240,), generator=seeding.generator(7))
    epsilon = torch.randn(clean.shape, generator=seeding.generator(8))
    noisy = tiny.scheduler.add_noise(clean, epsilon, timesteps)

    @torch.no_grad()
    def error(pipe):
        predicted = pipe.transformer(noisy, timestep=timesteps, class_labels=labels).sample
        return (predicted - epsilon).square().mean().item()

    errors = [error(finetune_minimax(tiny, waves.train, steps=steps, learning_rate=1e-2)) for steps in (20, 80)]
    assert error(tiny) > 1.1 * errors[0] > 1.1 * 1.1 * errors[1]


def test_the_memory_knows_the_extremes_of_its_class(randn):
    memory = _Memory(2, 3, 4, torch.device("cpu"))
    rows, labels = randn(7, 4), torch.tensor([0, 0, 0, 0, 1, 1, 0])
    memory.add(rows, labels)
    asked = randn(3, 4)
    kept = {0: rows[[2, 3, 6]], 1: rows[[4, 5]]}  # the last three of class 0; class 1 is not full
    for least, extreme in ((True, min), (False, max)):
        found = memory.similarities(asked, torch.tensor([0, 1, 1]), least=least)
        for value, row, label in zip(found, asked, (0, 1, 1), strict=True):
            expected = extreme(torch.cosine_similarity(row, other, dim=0).item() for other in kept[label])
            assert value == pytest.approx(expected, abs=1e-5)


def test_an_empty_memory_pulls_nowhere(randn):
    memory = _Memory(2, 3, 4, torch.device("cpu"))
    assert memory.similarities(randn(3, 4), torch.tensor([0, 1, 1]), least=True).tolist() == [1]
    assert memory.similarities(randn(3, 4), torch.tensor([0, 1, 1]), least=False).tolist() == [0]
    memory.add(randn(1, 4), torch.tensor([1]))
    assert len(memory.similarities(randn(3, 4), torch.tensor([0, 1, 1]), least=True)) == 2


def test_what_does_not_fit_is_refused(tiny, waves):
    with pytest.raises(ValueError, match="latents must be those of the 12 training images; got 2"):
        finetune_minimax(tiny, waves.train, steps=1, latents=torch.zeros(2, 4, 8, 8))
    with pytest.raises(ValueError, match="class_labels must be one per class, 2; got 1"):
        finetune_minimax(tiny, waves.train, steps=1, class_labels=[3])
    tiny.scheduler.register_to_config(prediction_type="v_prediction")
    with pytest.raises(ValueError, match="pipe must predict noise, prediction_type 'epsilon'; got 'v_prediction'"):
        finetune_minimax(tiny, waves.train, steps=1)


@pytest.mark.parametrize("name", ["steps", "batch_size", "memory"])
def test_numbers_below_one_are_refused(tiny, waves, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1; got 0"):
        finetune_minimax(tiny, waves.train, **({"steps": 1} | {name: 0}))
