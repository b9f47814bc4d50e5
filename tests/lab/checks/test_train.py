"""The tasks of lab 13: planted slips are told apart, each by its own sentence; and the two predictions."""

import pytest
import torch
from readers import told

from mgd_helpers import training
from mgd_helpers.lab import checks


def vae_loss(vae, images, noise, weight, *, draw=None, squared=1.0, absolute=0.1, half=0.5, reduce=torch.mean):
    posterior = vae.encode(images).latent_dist
    latents = posterior.mean + posterior.std * noise if draw is None else draw(posterior, noise)
    apart = vae.decode(latents).sample - images
    kl = (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
    return squared * reduce(apart**2) + absolute * apart.abs().mean() + weight * half * kl


def changed(**options):
    return lambda vae, images, noise, weight: vae_loss(vae, images, noise, weight, **options)


def over(*dim):
    return lambda z: (z - z.mean(dim, keepdim=True)) / z.std(dim, keepdim=True)


def mixed(z, noise, level):
    return level.sqrt() * z + (1 - level).sqrt() * noise


def loss(dit, z, labels, t, noise, alphas, *, mix=mixed, compare=None, error=lambda a, b: ((a - b) ** 2).mean()):
    level = alphas[t][:, None, None, None]
    noisy = mix(z, noise, level)
    found = dit(noisy, timestep=t, class_labels=labels).sample
    return error(found, noise if compare is None else compare(z, noisy))


def other(**options):
    return lambda dit, z, labels, t, noise, alphas: loss(dit, z, labels, t, noise, alphas, **options)


def mixes(mix):
    return other(mix=mix)


CHANNELS = (0, 2, 3)
SLIPS = [  # (task, answer, part of the sentence)
    ("autoencoder_loss", lambda vae, x, noise, w: x.square(), "should be one number"),
    ("autoencoder_loss", lambda vae, x, noise, w: vae_loss(vae, x, noise, 0.0), "nothing keeps the latents"),
    ("autoencoder_loss", lambda vae, x, noise, w: vae_loss(vae, x, noise, 1.0), "not weighted"),
    ("autoencoder_loss", changed(half=1.0), "factor one half"),
    ("autoencoder_loss", changed(half=32.0), "summed over the latent numbers"),
    ("autoencoder_loss", changed(half=-0.5), "wrong sign"),
    ("autoencoder_loss", changed(absolute=0.0), "absolute error is missing"),
    ("autoencoder_loss", changed(absolute=1.0), "counts in full"),
    ("autoencoder_loss", changed(squared=0.0), "squared error is missing"),
    ("autoencoder_loss", changed(reduce=torch.sum), "summed over pixels"),
    ("autoencoder_loss", changed(draw=lambda posterior, noise: posterior.mean), "the noise does nothing"),
    ("autoencoder_loss", changed(draw=lambda p, noise: p.mean + p.var * noise), "multiplied by the variance"),
    ("autoencoder_loss", changed(draw=lambda p, noise: p.mean + 2 * p.std * noise), "but not squared error"),
    ("autoencoder_loss", lambda *given: vae_loss(*given).item(), "lost its gradient"),
    ("white", over(1, 2, 3), "images that differ in brightness"),
    ("white", over(2, 3), "channel of every image"),
    ("white", over(0), "every number is made white"),
    ("white", over(0, 1, 2, 3), "each channel needs its own"),
    ("white", lambda z: z - z.mean(CHANNELS, keepdim=True), "spreads are as before"),
    ("white", lambda z: z / z.std(CHANNELS, keepdim=True), "means are not 0"),
    ("white", lambda z: (z - z.mean(CHANNELS, keepdim=True)) / z.var(CHANNELS, keepdim=True), "by the variance"),
    ("white", lambda z: (z - z.mean(CHANNELS, keepdim=True)) * z.std(CHANNELS, keepdim=True), "multiplies by the"),
    ("white", lambda z: over(*CHANNELS)(z).flatten(1), r"shape should be \[40, 3, 4, 4\]"),
    ("white", torch.tanh, "do not all have mean 0"),
    ("hide", lambda labels, draws, share: labels, "nothing is hidden"),
    ("hide", lambda labels, draws, share: torch.where(draws[0] < 2, 1000, labels), "all labels are hidden"),
    ("hide", lambda labels, draws, share: torch.where(draws < share, labels, 1000), "it is nine"),
    ("hide", lambda labels, draws, share: torch.where(draws < share, 0, labels), "a class of its own"),
    ("hide", lambda labels, draws, share: torch.where(draws < share, -1, labels), "become −1"),
    ("hide", lambda labels, draws, share: labels[draws >= share], "rows are taken out"),
    ("hide", lambda labels, draws, share: (draws < share).long(), "says which labels"),
    ("hide", lambda labels, draws, share: torch.where(draws < 2 * share, 1000, labels), "not the labels to hide"),
    ("hide", lambda labels, draws, share: torch.where(draws < share, 1000, labels).float(), "by whole numbers"),
    ("noise_loss", lambda *given: given[1].square(), "should be one number"),
    ("noise_loss", lambda *given: given[1].square().mean(), "never asked"),
    ("noise_loss", lambda dit, z, y, t, e, a: dit(z[:2], t, y).sample.mean(), r"it got \[2, 4, 6, 6\]"),
    ("noise_loss", lambda dit, z, y, t, e, a: loss(dit, z, y, t.flip(0), e, a), "at which timesteps"),
    ("noise_loss", lambda dit, z, y, t, e, a: loss(dit, z, None, t, e, a), "could learn no class"),
    ("noise_loss", mixes(lambda z, e, level: z), "sees the clean latents"),
    ("noise_loss", mixes(lambda z, e, level: e), "the noise alone"),
    ("noise_loss", mixes(lambda z, e, level: level * z + (1 - level) * e), "their roots are wanted"),
    ("noise_loss", mixes(lambda z, e, level: mixed(e, z, level)), "exchanged"),
    ("noise_loss", mixes(lambda z, e, level: level.sqrt() * z + (1 - level.sqrt()) * e), "weight of the noise is 1"),
    ("noise_loss", mixes(lambda z, e, level: z + (1 - level).sqrt() * e), "latents keep their full"),
    ("noise_loss", mixes(lambda z, e, level: level.sqrt() * z + e), "noise keeps its full"),
    ("noise_loss", mixes(lambda z, e, level: mixed(z, e, level[:1])), "not noisy in the right way"),
    ("noise_loss", other(compare=lambda z, noisy: z), "compared with the clean latents"),
    ("noise_loss", other(compare=lambda z, noisy: noisy), "compared with the noisy latents"),
    ("noise_loss", other(error=lambda a, b: (a - b).abs().mean()), "not squared"),
    ("noise_loss", other(error=lambda a, b: ((a - b) ** 2).sum()), "added up"),
    ("noise_loss", other(error=lambda a, b: ((a - b) ** 2).mean().sqrt()), "leave the root out"),
    ("noise_loss", other(error=lambda a, b: 3 * ((a - b) ** 2).mean()), "but not the mean squared error"),
    ("noise_loss", lambda *given: loss(*given).item(), "lost its gradient"),
    ("average", lambda old, new, decay: (1 - decay) * old + decay * new, "forgets nearly all"),
    ("average", lambda old, new, decay: decay * old + new, "do not add up to 1"),
    ("average", lambda old, new, decay: old, "do not come in"),
    ("average", lambda old, new, decay: decay * old, "share alone"),
    ("average", lambda old, new, decay: new, "nothing is averaged"),
    ("average", lambda old, new, decay: (old + new) / 2, "does nothing"),
    ("average", lambda old, new, decay: decay * old - (1 - decay) * new, "shares are not right"),
]

RIGHT = [  # right in another way than the book's
    ("autoencoder_loss", training.autoencoder_loss),
    ("autoencoder_loss", lambda *given: vae_loss(*given)[None]),
    ("white", lambda z: (z - z.mean(CHANNELS, keepdim=True)) / z.var(CHANNELS, False, keepdim=True).sqrt()),
    ("hide", lambda labels, draws, share: labels.masked_fill(draws < share, 1000)),
    ("hide", lambda labels, draws, share: labels + (1000 - labels) * (draws < share)),
    ("noise_loss", training.noise_loss),
    (
        "noise_loss",
        lambda dit, z, y, t, e, a: torch.nn.functional.mse_loss(
            dit(mixed(z, e, a[t].view(5, 1, 1, 1)), t, y).sample, e
        ),
    ),
    ("average", lambda old, new, decay: old + (1 - decay) * (new - old)),
    ("average", lambda old, new, decay: old.lerp(new, 1 - decay).tolist()),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_predictions_take_a_loss_and_an_order(capsys, monkeypatch):
    monkeypatch.setattr(checks.silent_loss, "locked", None)
    monkeypatch.setattr(checks.own_order, "locked", None)
    checks.silent_loss.lock(-1)
    checks.silent_loss.lock(0.5)
    checks.silent_loss.compare(1.0)
    checks.own_order.lock(["guided", "unguided", "random real"])
    checks.own_order.compare({"guided": 0.4, "unguided": 0.3, "random real": 0.9})
    found = "unguided (0.3) < guided (0.4) < random real (0.9)"
    assert capsys.readouterr().out.splitlines() == [
        "silent_loss: a number from 0 to 10 is wanted.",
        "silent_loss: locked at 0.5.",
        "silent_loss: you said 0.5, and it is 1: too low by 0.5.",
        "own_order: locked at guided < unguided < random real.",
        f"own_order: you said guided < unguided < random real, and it is {found}: 1 of 3 in place.",
    ]
