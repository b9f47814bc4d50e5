"""The last two tasks of lab 2: planted slips are told apart, each by its own sentence; and the prediction."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks


def log_density(z, cloud, share):
    squares = (z[:, None] - (1 - share**2) ** 0.5 * cloud).square().sum(-1)
    return torch.logsumexp(-squares / (2 * share**2), dim=1)


def score(z, cloud, share):
    z = z.clone().requires_grad_()
    return torch.autograd.grad(log_density(z, cloud, share).sum(), z)[0]


def made(clean, share):
    return (1 - share**2) ** 0.5 * clean + share * torch.randn_like(clean)


def squared(got, wanted):
    return (got - wanted).square().mean()


def loss(network, clean):
    share = torch.rand(len(clean), 1)
    return squared(network(made(clean, share), share), clean)


def against_the_noise(network, clean):
    share, noise = torch.rand(len(clean), 1), torch.randn_like(clean)
    return squared(network((1 - share**2) ** 0.5 * clean + share * noise, share), noise)


def against_the_sample(network, clean):
    share = torch.rand(len(clean), 1)
    sample = made(clean, share)
    return squared(network(sample, share), sample)


def absolute(network, clean):
    share = torch.rand(len(clean), 1)
    return (network(made(clean, share), share) - clean).abs().mean()


def shares(draw, change=lambda share: share):
    """The loss with another way to draw shares; the network is told `change(share)`."""

    def answer(network, clean):
        share = draw(len(clean))
        return squared(network(made(clean, share), change(share)), clean)

    return answer


def rows(n):
    return torch.rand(n, 1)


SLIPS = [  # (task, answer, part of the sentence)
    ("tweedie", score, "the score alone"),
    ("tweedie", lambda z, c, s: (z - s**2 * score(z, c, s)) / 0.8, "wrong sign"),
    ("tweedie", lambda z, c, s: z + s**2 * score(z, c, s), "division by the signal is missing"),
    ("tweedie", lambda z, c, s: (z + s * score(z, c, s)) / 0.8, "is not squared"),
    ("tweedie", lambda z, c, s: (z + score(z, c, s)) / 0.8, "not multiplied by noise²"),
    ("tweedie", lambda z, c, s: z + s**2 * score(z, c, s) / 0.8, "only the score is divided"),
    ("tweedie", lambda z, c, s: z / 0.8 + s**2 * score(z, c, s), "only the sample is divided"),
    ("tweedie", lambda z, c, s: z / 0.8, "the score does nothing"),
    ("tweedie", lambda z, c, s: c[:6], "not the mean that the score"),
    ("tweedie", lambda z, c, s: score(z, c, s)[0], r"shape should be \[6, 2\]"),
    ("tweedie", lambda z, c, s: torch.autograd.grad(log_density(z, c, s).sum(), z), "raised RuntimeError"),
    ("denoising_loss", lambda network, clean: clean.square(), "should be one number"),
    ("denoising_loss", lambda network, clean: clean.square().mean(), "never asked"),
    ("denoising_loss", shares(lambda n: torch.rand(1, 1).expand(n, 1)), "share of its own"),
    ("denoising_loss", shares(lambda n: 0.5), "share of its own"),
    ("denoising_loss", shares(rows, lambda share: share[:, 0]), r"shares of shape \[B, 1\]"),
    ("denoising_loss", shares(lambda n: 0.5 + rows(n) / 2), "spread evenly"),
    ("denoising_loss", shares(rows, lambda share: 1 - share), "small share should lie near"),
    ("denoising_loss", shares(lambda n: 0 * rows(n), lambda share: torch.rand_like(share)), "sees the clean points"),
    ("denoising_loss", lambda network, clean: loss(lambda z, s: network(z[:9], s).mean(), clean), "as many samples"),
    ("denoising_loss", lambda network, clean: loss(lambda z, s: network(clean + s, s), clean), "nearly all noise"),
    ("denoising_loss", against_the_noise, "compared with the noise"),
    ("denoising_loss", against_the_sample, "compared with the noisy samples"),
    ("denoising_loss", lambda network, clean: loss(network, clean) * clean.numel(), "squares are added up"),
    ("denoising_loss", lambda network, clean: loss(network, clean).sqrt(), "leave the root out"),
    ("denoising_loss", absolute, "belongs to a median"),
    ("denoising_loss", lambda network, clean: 0.5 * loss(network, clean), "always says 0"),
    ("denoising_loss", lambda network, clean: loss(network, clean).item(), "lost its gradient"),
]

RIGHT = [  # right in another way than the book's
    ("tweedie", lambda z, c, s: torch.softmax(-(z[:, None] - 0.8 * c).square().sum(-1) / (2 * s**2), 1) @ c),
    ("tweedie", lambda z, c, s: ((z.double() + s**2 * score(z.double(), c.double(), s)) / 0.8).tolist()),
    ("denoising_loss", lambda network, clean: 2 * loss(network, clean)),  # the squared distance of whole rows
    ("denoising_loss", lambda network, clean: loss(network, clean)[None]),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_prediction_takes_a_distance(capsys, monkeypatch):
    monkeypatch.setattr(checks.apart, "locked", None)
    checks.apart.compare(0.0)
    checks.apart.lock(-1)
    checks.apart.lock(4)
    checks.apart.compare(0.0)
    assert capsys.readouterr().out.splitlines() == [
        "apart: predict first, with checks.apart.lock(…).",
        "apart: a number from 0 to 10 is wanted.",
        "apart: locked at 4.",
        "apart: you said 4, and it is 0: too high by 4.",
    ]
