"""The last four tasks: planted slips are told apart, each by its own sentence; other right ways pass."""

import numpy as np
import pytest
import torch
from readers import told
from scipy import stats

from mgd_helpers.lab import checks


def guess(seen, values, exponent, dim=1):
    return torch.softmax(-exponent, dim=dim) @ values


def gaps(seen, values):
    return (seen[:, None] - values).abs()


def sem(v):
    return v.std() / len(v) ** 0.5


def around(center, half):
    return center - half, center + half


SLIPS = [  # (task, answer, part of the sentence)
    ("mix", lambda c, e, s: (1 - s) * c + s * e, "weights add up to 1"),
    ("mix", lambda c, e, s: c + s * e, "keeps its full weight"),
    ("mix", lambda c, e, s: (1 - s) ** 0.5 * c + s**0.5 * e, "share of the variance"),
    ("mix", lambda c, e, s: s * c + (1 - s**2) ** 0.5 * e, "weights are exchanged"),
    ("mix", lambda c, e, s: (1 - s**2) * c + s * e, "a root is missing"),
    ("mix", lambda c, e, s: (1 - s**2) ** 0.5 * c + e, "not weighted at all"),
    ("mix", lambda c, e, s: c + torch.randn_like(e), "draw none"),
    ("mix", lambda c, e, s: 0.5 * c + s * e, "variance of your mix is 0.61, outside 0.95 to 1.05"),
    ("mix", lambda c, e, s: 0.8 * c + s * e, "should remain alone"),
    ("mix", lambda c, e, s: 0.9 * c + 0.436 * e, "does not have the weight"),
    ("mix", lambda c, e, s: (c + e).mean(), "shape should be"),
    ("best_guess", lambda y, x, s: x[gaps(y, x).argmin(1)], "nearest to what was seen"),
    ("best_guess", lambda y, x, s: x.mean().expand(len(y)), "whatever was seen"),
    ("best_guess", lambda y, x, s: y, "values play no part"),
    ("best_guess", lambda y, x, s: guess(y, x, gaps(y, x) ** 2 / (2 * s)), "sigma should be squared"),
    ("best_guess", lambda y, x, s: guess(y, x, gaps(y, x) ** 2 / s**2), "factor of two"),
    ("best_guess", lambda y, x, s: guess(y, x, gaps(y, x) ** 2), "does not depend on sigma"),
    ("best_guess", lambda y, x, s: guess(y, x, gaps(y, x) ** 2 / (2 * s**2), dim=0), "must be 5"),
    ("best_guess", lambda y, x, s: guess(y, x, gaps(y, x) / s), "not the likelihoods"),
    ("best_guess", lambda y, x, s: x, "shape should be"),
    ("standard_error", lambda v: v.std(), "spread of single values"),
    ("standard_error", lambda v: v.var() / len(v), "variance of the mean"),
    ("standard_error", lambda v: v.var(), "variance of single values"),
    ("standard_error", lambda v: v.std() / len(v), "divided by n: variances"),
    ("standard_error", lambda v: np.std(v.numpy()) / len(v) ** 0.5, "n in the denominator"),
    ("standard_error", lambda v: v.mean(), "mean itself"),
    ("standard_error", lambda v: 2 * sem(v), "not the standard error"),
    ("standard_error", lambda v: v, "one number is wanted"),
    ("interval", lambda v: around(v.mean(), 1.96 * sem(v)), "takes 1.96"),
    ("interval", lambda v: around(v.mean(), 2 * sem(v)), "2 standard errors"),
    ("interval", lambda v: around(v.mean(), stats.t.ppf(0.975, 5) * v.std()), "for single values"),
    ("interval", lambda v: around(v.mean(), stats.t.ppf(0.95, 5) * sem(v)), "either side; both sides"),
    ("interval", lambda v: around(v.mean(), stats.t.ppf(0.975, 6) * sem(v)), "degrees of freedom"),
    ("interval", lambda v: around(v.mean(), sem(v)), "one standard error"),
    ("interval", lambda v: around(v.mean(), -stats.t.ppf(0.975, 5) * sem(v)), "low and high are exchanged"),
    ("interval", lambda v: around(0, stats.t.ppf(0.975, 5) * sem(v)), "around zero"),
    ("interval", lambda v: (v.mean(), stats.t.ppf(0.975, 5) * sem(v)), "two ends are wanted"),
    ("interval", lambda v: (v.min(), v.max()), "do not make the interval"),
    ("interval", lambda v: (v, v), "one number each"),
    ("interval", lambda v: v.mean(), "should return low and high"),
]

RIGHT = [  # right in another way than the book's
    ("mix", lambda c, e, s: (1 - s**2) ** 0.5 * c.numpy() + s * e.numpy()),
    ("best_guess", lambda y, x, s: [(w * x).sum() / w.sum() for w in torch.exp(-(gaps(y, x) ** 2) / (2 * s**2))]),
    ("standard_error", lambda v: stats.sem(v.numpy())),
    ("standard_error", lambda v: (v.var() / len(v)).sqrt()[None]),
    ("interval", lambda v: stats.ttest_1samp(v.numpy(), 0).confidence_interval()),
    ("interval", lambda v: torch.stack(around(v.mean(), stats.t.ppf(0.975, 5) * sem(v)))),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_prediction_of_the_lab_is_wrong_by_what_the_t_distribution_says():
    truth = 1 - 2 * stats.t.sf(1.96, 4)  # five values
    assert truth == pytest.approx(0.88, abs=0.005) and 0.95 - truth > checks.coverage.near
