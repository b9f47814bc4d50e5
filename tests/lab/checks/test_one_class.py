"""The tasks of the lab on one class: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers import seeding
from mgd_helpers.lab import checks

GIB = 2**30


def size(weights):
    return sum(one.numel() * one.element_size() for one in weights)


def drawn(seed, label, column, shape, *, make=torch.randn):
    return make(shape, generator=seeding.generator(seed, label, column))


def drawn_for_all(seed, label, column, shape):
    torch.manual_seed(seed * 1000 + label * 100 + column)
    return torch.randn(shape)


def summed(seed, label, column, shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + label + column))


def way(guided, unguided, targets, *, length=lambda x: x.flatten(1).norm(dim=1)):
    return 1 - length(guided - targets) / length(unguided - targets)


def allowed(strengths, distances, spreads, floor):
    return [row for row in range(len(strengths)) if spreads[row] >= floor]


def rule(strengths, distances, spreads, floor, *, at_least=True):
    keeps = spreads >= floor if at_least else spreads > floor
    return strengths[distances.where(keeps, torch.tensor(torch.inf)).argmin()]


SLIPS = [  # (task, answer, part of the sentence)
    ("weights_gib", lambda w: sum(one.numel() for one in w) / GIB, "counts numbers, not bytes"),
    ("weights_gib", lambda w: sum(4 * one.numel() for one in w) / GIB, "taken for 4 bytes"),
    ("weights_gib", lambda w: sum(2 * one.numel() for one in w) / GIB, "taken for 2 bytes"),
    ("weights_gib", lambda w: size(w) / 1e9, "gigabytes of 1000³"),
    ("weights_gib", lambda w: size(w), "these are bytes; divide"),
    ("weights_gib", lambda w: size(w) / 2**20, "these are MiB"),
    ("weights_gib", lambda w: 8 * size(w) / GIB, "a byte has eight"),
    ("weights_gib", lambda w: max(size([one]) for one in w) / GIB, "the largest tensor alone"),
    ("weights_gib", lambda w: [size([one]) / GIB for one in w], "one number is wanted"),
    ("weights_gib", lambda w: len(w), "not what these tensors take"),
    ("column_noise", drawn_for_all, "random numbers of the rest of the lab"),
    ("column_noise", lambda s, k, c, shape: torch.randn(shape), "asked twice"),
    ("column_noise", lambda s, k, c, shape: drawn(s, k, 0, shape), "two columns get the same"),
    ("column_noise", lambda s, k, c, shape: drawn(0, k, c, shape), "two seeds get the same"),
    ("column_noise", lambda s, k, c, shape: drawn(s, 0, c, shape), "two classes get the same"),
    ("column_noise", summed, "a sum of seed, class and column"),
    ("column_noise", lambda *x: drawn(*x, make=torch.rand), "mean should be about 0"),
    ("column_noise", lambda *x: 2 * drawn(*x), "standard deviation should be about 1"),
    ("column_noise", lambda *x: drawn(*x)[None], "the shape should be"),
    ("share_of_way", lambda *x: 1 - way(*x), "share that is left"),
    ("share_of_way", lambda *x: way(*x, length=lambda v: v.flatten(1).square().sum(1)), "these are squared"),
    ("share_of_way", lambda *x: 100 * way(*x), "parts of a hundred"),
    ("share_of_way", lambda g, u, t: (g - u).flatten(1).norm(dim=1) / (t - u).flatten(1).norm(dim=1), "wherever to"),
    ("share_of_way", lambda g, u, t: 1 - (g - t).norm() / (u - t).norm(), "one number for each image"),
    ("share_of_way", lambda *x: way(*x).norm() * torch.ones(5), "0 for an image that stayed"),
    ("choose_strength", lambda a, d, s, f: a[d.argmin()], "too little spread is out"),
    ("choose_strength", lambda a, d, s, f: min(allowed(a, d, s, f), key=lambda row: d[row]), "a row number"),
    ("choose_strength", lambda a, d, s, f: d[allowed(a, d, s, f)].min(), "this is a distance"),
    ("choose_strength", lambda a, d, s, f: a[s.argmax()], "the most spread"),
    ("choose_strength", lambda a, d, s, f: a[allowed(a, d, s, f)[0]], "first that is allowed"),
    ("choose_strength", lambda a, d, s, f: a[allowed(a, d, s, f)[-1]], "strongest that is allowed"),
    ("choose_strength", lambda *x: rule(*x, at_least=False), "exactly `floor` is enough"),
    ("choose_strength", lambda a, d, s, f: 0.3, "with another `floor`"),
    ("choose_strength", lambda a, d, s, f: a, "one strength is wanted"),
    ("choose_strength", lambda a, d, s, f: 7, "not the nearest of the strengths"),
]

RIGHT = [  # right in another way than the book's
    ("weights_gib", lambda w: sum(one.nbytes for one in w) / 1024**3),
    ("column_noise", lambda *x: drawn(*x).tolist()),
    (
        "column_noise",
        lambda s, k, c, shape: torch.randn(shape, generator=torch.Generator().manual_seed(hash((s, k, c)))),
    ),
    ("share_of_way", way),
    ("share_of_way", lambda *x: way(*x, length=lambda v: v.square().mean((1, 2, 3)).sqrt())),
    ("choose_strength", rule),
    ("choose_strength", lambda a, d, s, f: float(a[min(allowed(a, d, s, f), key=lambda row: d[row])])),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    verdict = getattr(checks, name).verdict(answer)
    assert verdict.sentence == "nothing is wrong."
