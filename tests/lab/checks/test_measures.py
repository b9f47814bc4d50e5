"""The tasks of lab 9: planted slips are told apart, each by its own sentence; other right ways pass."""

import numpy as np
import pytest
import torch
from readers import told

from mgd_helpers.evaluation.fidelity import mmd
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.lab import checks


def similar(x, y, exponent):
    return torch.exp(-(torch.cdist(x, y) ** 2) / exponent)


def loops(x, y, h, *, across=-2.0, exponent=None, skip=True, ordered=False):
    """MMD by means of matrices; the options are slips."""
    exponent = 2 * h**2 if exponent is None else exponent

    def within(rows):
        table, n = similar(rows, rows, exponent), len(rows)
        if not skip:
            return table.mean()
        return (table.sum() - n) / (n * n if ordered else n * (n - 1))

    return within(x) + within(y) + across * similar(x, y, exponent).mean()


def nearest(x, y):
    return torch.cdist(x.double(), y.double()).amin(1)


def balls(g, r, k, *, offset=0):
    radii = torch.cdist(r, r).sort(dim=1).values[:, k + offset]
    return torch.cdist(g, r) < radii


def both(inside):
    return inside.any(1).double().mean(), inside.any(0).double().mean()


def known(g, r, k):
    return precision_recall(generated=g, real=r, n_neighbors=k)


def beyond(g, r, far=2.0):
    return r.mean(0) + far * (g.mean(0) - r.mean(0))


def below(share):
    return lambda g, t, h: nearest(g, t) < nearest(h, t).quantile(share)


SLIPS = [  # (task, answer, part of the sentence)
    ("squared_mmd", lambda x, y, h: loops(x, y, h, skip=False), "compared with itself"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h, across=-1), "once here"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h, across=2), "check the signs"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h) ** 0.5, "root of the squared"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h, exponent=h**2), "factor of two"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h, exponent=2 * h), "should be squared"),
    ("squared_mmd", lambda x, y, h: loops(x, y, h, ordered=True), "counted in the denominator"),
    ("squared_mmd", lambda x, y, h: 0.0, "not the mean within"),
    ("squared_mmd", lambda x, y, h: x, "one number is wanted"),
    ("precision_coverage", lambda g, r, k: both(balls(g, r, k))[::-1], "two are exchanged"),
    ("precision_coverage", lambda g, r, k: both(balls(g, r, k, offset=-1)), "balls are too small"),
    ("precision_coverage", lambda g, r, k: both(balls(g, r, k, offset=1)), "balls are too large"),
    ("precision_coverage", lambda g, r, k: (known(g, r, k)["density"], 1), "one is enough"),
    ("precision_coverage", lambda g, r, k: (known(g, r, k)["recall"], 1), "around the real rows"),
    ("precision_coverage", lambda g, r, k: (0, 0), "share of rows in a ball"),
    ("precision_coverage", lambda g, r, k: (known(g, r, k)["precision"], known(g, r, k)["recall"]), "this is recall"),
    ("precision_coverage", lambda g, r, k: (known(g, r, k)["precision"], known(r, g, k)["coverage"]), "sets are exch"),
    ("precision_coverage", lambda g, r, k: [known(g, r, k)["precision"]] * 2, "count balls"),
    ("precision_coverage", lambda g, r, k: (known(g, r, k)["precision"], 0), "share of balls with a row"),
    ("precision_coverage", lambda g, r, k: (g, r), "one number each"),
    ("outlier", lambda g, r: r[3], "lies among the real"),
    ("outlier", lambda g, r: beyond(g, r, -2), "other side"),
    ("outlier", lambda g, r: beyond(g, r, 0.57), "precision rises to"),
    ("outlier", lambda g, r: g, "one row of 3"),
    ("suspects", lambda g, t, h: nearest(g, t) == 0, "none of 5"),
    ("suspects", lambda g, t, h: nearest(g, h) == 0, "none of 5"),
    ("suspects", lambda g, t, h: nearest(g, t) < 0.5, "numbers a hundred times larger"),
    ("suspects", lambda g, t, h: nearest(g, t) < 2 * nearest(h, t).median(), "suspect every image"),
    ("suspects", lambda g, t, h: nearest(g, t) > nearest(h, t).quantile(0.05), "turned round"),
    ("suspects", lambda g, t, h: nearest(g, t) <= nearest(g, t).sort().values[2], "copies are found: the"),
    ("suspects", below(0.5), "honest images, and 5 %"),
    ("suspects", lambda g, t, h: nearest(g, t), "compare with a threshold"),
    ("suspects", lambda g, t, h: [0, 1], "one entry for each"),
    ("members", lambda v, h: v < 0, "same guess"),
    ("members", lambda v, h: v > h.median(), "less than a coin"),
    ("members", lambda v, h: v < h.quantile(0.05), "better threshold"),
    ("members", lambda v, h: v, "compare with a threshold"),
    ("members", lambda v, h: h < h.median(), "one entry for each"),
]

RIGHT = [  # right in another way than the book's
    ("squared_mmd", lambda x, y, h: mmd(generated=x, real=y, bandwidth=h)),
    ("squared_mmd", lambda x, y, h: loops(x, y, h).numpy()[None]),
    ("precision_coverage", lambda g, r, k: both(balls(g, r, k))),
    ("precision_coverage", lambda g, r, k: [known(g, r, k)[name] for name in ("precision", "coverage")]),
    ("outlier", lambda g, r: beyond(g, r, 5)),
    ("outlier", lambda g, r: g.mean(0)[None]),
    ("suspects", below(0.05)),
    ("suspects", lambda g, t, h: (nearest(g, t) < nearest(h, t).min()).int()),
    ("suspects", lambda g, t, h: np.array(nearest(g, t) < 0.5 * nearest(h, t).mean())),
    ("members", lambda v, h: v < h.mean()),
    ("members", lambda v, h: (v < v.median()).double()),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
