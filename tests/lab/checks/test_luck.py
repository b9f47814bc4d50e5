"""The tasks of lab 8: planted slips are told apart, each by its own sentence; other right ways pass."""

import math

import numpy as np
import pytest
import torch
from readers import told
from scipy import stats

import mgd_helpers as mgd
from mgd_helpers.lab import checks
from mgd_helpers.lab.checks import luck


def sem(v):
    return v.std() / len(v) ** 0.5


def two(paired, unpaired):
    return lambda a, b: (paired(a, b), unpaired(a, b))


def by_pairs(a, b):
    return sem(a - b)


def apart(a, b):
    return (sem(a) ** 2 + sem(b) ** 2).sqrt()


def simulate(draw, count=lambda held, studies: held / studies):
    """An answer to `held` that draws one study by `draw(n, truth)`."""

    def answer(interval, n, truth, studies):
        hits = 0
        for _ in range(studies):
            low, high = interval(draw(n, truth))
            hits += low <= truth <= high
        return count(hits, studies)

    return answer


def fresh(n, truth):
    return truth + torch.randn(n)


def once(interval, n, truth, studies):
    low, high = interval(fresh(n, truth))
    return float(low <= truth <= high)


def one_study(interval, n, truth, studies):
    values = fresh(n, truth)
    return simulate(lambda n, truth: values)(interval, n, truth, studies)


GENERATOR = np.random.default_rng(0)


def ratio(d, s):
    return (s / d) ** 2


SLIPS = [  # (task, answer, part of the sentence)
    ("counting_error", lambda p, n: p * (1 - p) / n, "a root is missing"),
    ("counting_error", lambda p, n: (n * p * (1 - p)) ** 0.5, "number of right answers"),
    ("counting_error", lambda p, n: (p * (1 - p)) ** 0.5, "spread of one answer"),
    ("counting_error", lambda p, n: (p * (1 - p)) ** 0.5 / n, "divided by n"),
    ("counting_error", lambda p, n: (p / n) ** 0.5, "wrong answers play no part"),
    ("counting_error", lambda p, n: (0.25 / n) ** 0.5, "accuracy of one half"),
    ("counting_error", lambda p, n: 100 * (p * (1 - p) / n) ** 0.5, "points of a hundred"),
    ("counting_error", lambda p, n: 1.96 * (p * (1 - p) / n) ** 0.5, "half of a 95 % interval"),
    ("counting_error", lambda p, n: p, "not the standard error of a share"),
    ("counting_error", lambda p, n: [p, p], "one number is wanted"),
    ("paired_errors", two(apart, by_pairs), "two are exchanged"),
    ("paired_errors", two(apart, apart), "pairing gains nothing"),
    ("paired_errors", two(lambda a, b: (a - b).std(), apart), "spread of the differences"),
    ("paired_errors", two(lambda a, b: by_pairs(a, b) ** 2, apart), "^paired: this is a variance"),
    ("paired_errors", two(lambda a, b: (sem(a) - sem(b)).abs(), apart), "difference of two errors"),
    ("paired_errors", two(lambda a, b: sem(a + b), apart), "standard error of the mean of a - b"),
    ("paired_errors", two(by_pairs, lambda a, b: sem(a) + sem(b)), "errors do not add up"),
    ("paired_errors", two(by_pairs, lambda a, b: apart(a, b) ** 2), "unpaired: this is a variance"),
    ("paired_errors", two(by_pairs, lambda a, b: (sem(a) ** 2 - sem(b) ** 2).abs().sqrt()), "for a difference too"),
    ("paired_errors", two(by_pairs, lambda a, b: (a.var() + b.var()).sqrt()), "spreads of single scores"),
    ("paired_errors", two(by_pairs, lambda a, b: sem(a)), "one of the means is missing"),
    ("paired_errors", two(by_pairs, lambda a, b: sem(a * b)), "root of the two squared errors"),
    ("paired_errors", lambda a, b: (a, b), "one number each"),
    ("paired_errors", lambda a, b: by_pairs(a, b), "should return paired and unpaired"),
    ("held", simulate(fresh, lambda held, studies: 1 - held / studies), "intervals that miss"),
    ("held", simulate(fresh, lambda held, studies: held), "the share is wanted"),
    ("held", simulate(fresh, lambda held, studies: 0.5), "not the share of intervals"),
    ("held", once, "yours asks 1 times"),
    ("held", one_study, "draw anew"),
    ("held", simulate(lambda n, truth: truth + torch.randn(n + 1)), "was given shape"),
    ("held", simulate(lambda n, truth: torch.randn(n)), "around the truth"),
    ("held", simulate(lambda n, truth: truth + 2 * torch.randn(n)), "spread of your values"),
    ("held", simulate(lambda n, truth: truth + (torch.randn(n) if n == 6 else torch.zeros(n))), "bootstrap of five"),
    ("pairs_needed", lambda d, s: math.ceil(4 * ratio(d, s)), "edge of the interval"),
    ("pairs_needed", lambda d, s: math.ceil(8 * ratio(s, d) + 2), "difference and spread are exchanged"),
    ("pairs_needed", lambda d, s: math.ceil(8 * s / d + 2), "ratio should be squared"),
    ("pairs_needed", lambda d, s: math.ceil(16 * ratio(d, s)), "two unpaired groups"),
    ("pairs_needed", lambda d, s: 8.3 * ratio(d, s) + 2, "round up"),
    ("pairs_needed", lambda d, s: 100, "the power is"),
    ("pairs_needed", lambda d, s: 1, "two pairs at least"),
    ("pairs_needed", lambda d, s: 1e9, "nobody can make"),
]

RIGHT = [  # right in another way than the book's
    ("counting_error", lambda p, n: np.sqrt(p * (1 - p) / n)),
    ("counting_error", lambda p, n: torch.tensor([(p - p * p) / n]).sqrt()),
    ("paired_errors", lambda a, b: (stats.sem(a - b), np.hypot(stats.sem(a), stats.sem(b)))),
    ("held", simulate(lambda n, truth: GENERATOR.normal(truth, 1, n).tolist())),
    ("pairs_needed", lambda d, s: math.ceil(8 * ratio(d, s) + 2)),
    ("pairs_needed", lambda d, s: next(n for n in range(2, 999) if luck.power(n, d / s) >= 0.8)),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


@pytest.mark.parametrize(("n", "effect", "share"), [(16, 0.5, 0.47), (34, 0.5, 0.80), (10, 1.0, 0.80), (5, 0.0, 0.05)])
def test_the_power_is_that_of_the_books_interval(n, effect, share):
    assert luck.power(n, effect) == pytest.approx(share, abs=0.01)
    values = effect + torch.randn(600, n, 1, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    found = [mgd.paired_difference(row, torch.zeros(n, 1).double()) for row in values]
    hits = sum(not difference.low <= 0 <= difference.high for difference in found) / len(found)
    assert hits == pytest.approx(share, abs=0.05)


def test_the_bootstrap_of_five_holds_less_than_it_promises():
    assert 0.80 < float(simulate(fresh)(luck._bootstrap, 5, 0.0, 500)) < 0.89
    assert checks.bootstrap_holds.near < 0.95 - 0.84
