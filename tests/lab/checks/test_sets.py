"""The tasks of the lab on sets: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks


def rms(x, dims=None):
    return x.square().mean(dims, keepdim=True).sqrt()


def step(z, velocity, gradient, rate, looks, *, kept=0.5, sign=-1, scale=None):
    velocity = kept * velocity + gradient / (rms(gradient) if scale is None else scale(gradient))
    return z + sign * rate / looks * velocity, velocity


def by_image(gradient):
    return rms(gradient, (1, 2, 3))


def plan(cost, masses, epsilon, rounds, *, kernel=None, total=None, rows_last=True):
    found = torch.exp(-cost / (epsilon * cost.mean())) if kernel is None else kernel(cost, epsilon)
    total = 1 / len(cost) if total is None else total
    for _ in range(rounds):
        if not rows_last:
            found = found / found.sum(1, keepdim=True) * total
        found = found * (masses / found.sum(0))
        if rows_last:
            found = found / found.sum(1, keepdim=True) * total
    return found


SLIPS = [  # (task, answer, part of the sentence)
    ("set_energy", lambda a, b: ((a[:, None] - b) ** 2).sum(-1).mean(), "compare the two means"),
    ("set_energy", lambda a, b: ((a.sum(0) - b.mean(0)) ** 2).sum(), "where a mean belongs"),
    ("set_energy", lambda a, b: (a.mean(0) - b.mean(0)).norm(), "a length, not its square"),
    ("set_energy", lambda a, b: (a.mean(0) - b.mean(0)).sum() ** 2, "opposite sign cancel"),
    ("set_energy", lambda a, b: ((a.mean(0) - b.mean(0)) ** 2).mean(), "the sum is wanted"),
    ("set_energy", lambda a, b: (a.mean(0) - b.mean(0)).abs().sum(), "absolute values"),
    ("set_energy", lambda a, b: (a.mean(0) - b.mean(0)) ** 2, "one number; yours has shape"),
    ("matching_step", lambda z, v, g, r, n: (z - r / n * g, v), "longer gradient makes a longer step"),
    ("matching_step", lambda *x: step(*x, sign=1), "this climbs"),
    ("matching_step", lambda z, v, g, r, n: step(z, v, g, r, 1), "moves by the whole rate"),
    ("matching_step", lambda *x: step(*x, scale=by_image), "every image moves equally far"),
    ("matching_step", lambda *x: step(*x, scale=torch.norm), "should move an entry by 0.15"),
    ("matching_step", lambda *x: step(*x, kept=0), "has forgotten the first"),
    ("matching_step", lambda *x: step(*x, kept=1), "keeps its full weight"),
    ("matching_step", lambda *x: step(*x, kept=0.9), "what becomes of the velocity"),
    ("matching_step", lambda z, v, g, r, n: (z.mean(), v), "should keep the shape"),
    ("matching_step", lambda z, v, g, r, n: step(z, v, g, r + 1, n), "at rate 0"),
    ("sinkhorn", lambda *x: plan(*x, total=1), "carry 5"),
    ("sinkhorn", lambda c, m, e, n: plan(c, torch.full_like(m, 1 / 7), e, n), "plays no part"),
    ("sinkhorn", lambda c, m, e, n: plan(c, m, e, 1, rows_last=False), "last to be scaled"),
    ("sinkhorn", lambda *x: plan(*x, kernel=lambda c, e: torch.exp(c / (e * c.mean()))), "costs most"),
    ("sinkhorn", lambda *x: plan(*x, kernel=lambda c, e: torch.exp(-c / e)), "units of the mean cost"),
    ("sinkhorn", lambda *x: plan(*x, kernel=lambda c, e: torch.exp(-c * e)), "multiplies the cost"),
    ("sinkhorn", lambda *x: plan(*x, kernel=lambda c, e: 1 / c), "this is not the plan"),
    ("sinkhorn", lambda c, m, e, n: -c, "no entry of a plan is negative"),
    ("sinkhorn", lambda c, m, e, n: plan(c, m, e, n).sum(0), "an entry for each pair"),
    ("barycenters", lambda p, a: p @ a, "four times too short"),
    ("barycenters", lambda p, a: a[p.argmax(1)], "gets most"),
    ("barycenters", lambda p, a: (p / p.sum(0)) @ a, "divides by the columns"),
    ("barycenters", lambda p, a: (p.sum(0) @ a).expand(len(p), -1), "the same place"),
    ("barycenters", lambda p, a: a.mean(0).expand(len(p), -1), "all centres alike"),
    ("barycenters", lambda p, a: torch.softmax(p, 1) @ a, "not the means of the centres"),
    ("barycenters", lambda p, a: p.T @ p @ a, "shape should be"),
]

RIGHT = [  # right in another way than the book's
    ("set_energy", lambda a, b: float(torch.dist(a.mean(0), b.mean(0)) ** 2)),
    ("set_energy", lambda a, b: (a @ a.T).mean() + (b @ b.T).mean() - 2 * (a @ b.T).mean()),
    ("matching_step", lambda *x: step(*x)),
    ("sinkhorn", lambda *x: plan(*x)),
    ("sinkhorn", lambda c, m, e, n: plan(c, m * 33, e, n)),
    ("barycenters", lambda p, a: (p / p.sum(1, keepdim=True)) @ a),
    ("barycenters", lambda p, a: [len(p) * sum(w * c for w, c in zip(row, a, strict=True)) for row in p]),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
