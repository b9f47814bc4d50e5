"""The tasks of lab 10: planted slips are told apart, each by its own sentence; other right ways pass."""

import itertools

import pytest
import torch
from readers import told
from scipy import stats

from mgd_helpers.evaluation import holm
from mgd_helpers.lab import checks
from mgd_helpers.lab.checks import verdict


def pairs(a, b, *, points=100):
    return [points * (a[seed] - b[seed]) for seed in sorted(a.keys() & b.keys())]


def in_rows(a, b):
    return [100 * (one - other) for one, other in zip(a, b, strict=True)]


def ways(differences):
    signs = itertools.product((1, -1), repeat=len(differences))
    return torch.stack([(torch.tensor(way) * differences).mean() for way in signs])


def share(differences, far):
    means = ways(differences)
    return far(means, means[0]).double().mean()


def drawn(differences):
    signs = torch.randint(2, (200, len(differences))) * 2 - 1
    return ((signs * differences).mean(1).abs() >= differences.mean().abs() - 1e-9).double().mean()


def ranked(factors, *, running=True, capped=True):
    """An answer that multiplies the sorted p-values by factors of n."""

    def answer(p):
        order = p.argsort()
        found = p[order] * factors(len(p))
        found = found.cummax(0).values if running else found
        return (found.clamp(max=1) if capped else found)[order.argsort()]

    return answer


def down(n):
    return torch.arange(n, 0, -1)


def means(images, labels):
    return torch.stack([images[labels == label].mean(0) for label in labels.unique()])


def first(images, labels):
    return torch.stack([images[labels == label][0] for label in labels.unique()])


def few(images, labels):
    return torch.stack([images[labels == label][:2].mean(0) for label in labels.unique()])


SLIPS = [  # (task, answer, part of the sentence)
    ("what_differs", lambda a, b: pairs(b, a), "sign is exchanged"),
    ("what_differs", lambda a, b: pairs(a, b, points=1), "points of a hundred"),
    ("what_differs", lambda a, b: [abs(d) for d in pairs(a, b)], "signs are gone"),
    ("what_differs", lambda a, b: sum(pairs(a, b)) / 3, "mean of the differences"),
    ("what_differs", lambda a, b: in_rows(a.values(), b.values()), "in which they are listed"),
    ("what_differs", lambda a, b: [100 * (a[seed] - b[seed]) for seed in a if seed in b], "not in ascending order"),
    ("what_differs", lambda a, b: in_rows(sorted([0.84, 0.8, 0.91]), sorted([0.86, 0.83, 0.85])), "are strangers"),
    ("what_differs", lambda a, b: [1, 2, 3], "not the differences of the seeds"),
    ("what_differs", lambda a, b: [100 * (a[seed] - b[seed]) for seed in a], "KeyError"),
    ("what_differs", lambda a, b: [0.0] * 5, "shape should be"),
    ("sign_flips", lambda d: share(d, lambda m, seen: m >= seen - 1e-9), "one-sided"),
    ("sign_flips", lambda d: share(d, lambda m, seen: m.abs() >= seen.abs() - 1e-9) - 1 / 2 ** len(d), "left out here"),
    ("sign_flips", lambda d: share(d, lambda m, seen: m.abs() > seen.abs() + 1e-9), "not only farther"),
    ("sign_flips", lambda d: 2 ** len(d) * share(d, lambda m, seen: m.abs() >= seen.abs() - 1e-9), "share is wanted"),
    ("sign_flips", lambda d: share(d, lambda m, seen: m.abs() < seen.abs() - 1e-9), "lie nearer"),
    ("sign_flips", lambda d: stats.ttest_1samp(d, 0).pvalue, "share of all ways"),
    ("sign_flips", lambda d: -0.5, "between 0 and 1"),
    ("sign_flips", lambda d: d, "one p-value"),
    ("sign_flips", drawn, "share of all ways"),
    ("holm_by_hand", lambda p: (len(p) * p).clamp(max=1), "Bonferroni"),
    ("holm_by_hand", ranked(down, running=False), "keep the larger"),
    ("holm_by_hand", ranked(down, capped=False), "exceeds 1"),
    ("holm_by_hand", lambda p: sorted(holm(p.tolist())), "and sorted"),
    ("holm_by_hand", ranked(lambda n: torch.arange(1, n + 1)), "wrong way"),
    ("holm_by_hand", lambda p: [q < 0.05 for q in holm(p.tolist())], "these are verdicts"),
    ("holm_by_hand", lambda p: p, "as they were"),
    ("holm_by_hand", lambda p: p / 2, "not Holm's"),
    ("prototype", lambda images, labels: images.mean(0, keepdim=True), "one image for all"),
    ("prototype", lambda images, labels: images[:2], "shape should be"),
    ("prototype", lambda images, labels: means(images, labels).flatten(1), "shape should be"),
    ("prototype", lambda images, labels: 30 * means(images, labels), "range from -1 to 1"),
    ("prototype", first, "one of the training images"),
    ("prototype", lambda images, labels: means(images, labels).flip(0), "place of its class"),
    ("prototype", few, "gather from many"),
]

RIGHT = [  # right in another way than the book's
    ("what_differs", lambda a, b: torch.tensor(pairs(a, b))),
    ("sign_flips", lambda d: (ways(d).abs() >= d.mean().abs() - 1e-9).double().mean()),
    ("sign_flips", lambda d: float(verdict._exact(d))),
    ("holm_by_hand", lambda p: holm(p.tolist())),
    ("holm_by_hand", ranked(down)),
    (
        "prototype",
        lambda images, labels: torch.stack(
            [images[labels == label].median(0).values * 0.9 for label in labels.unique()]
        ),
    ),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [0.5, -0.5, 0.25, 0.25], [1.0, 1.0, 1.0, 1.0, 1.0]])
def test_the_exact_p_value_is_that_of_all_flips_with_ties(values):
    differences = torch.tensor(values, dtype=torch.float64)
    found = share(differences, lambda means, seen: means.abs() >= seen.abs() - 1e-9)
    assert float(verdict._exact(differences)) == pytest.approx(float(found))


def test_the_prediction_is_in_points():
    assert checks.mode_minus_tangent.low < -1 < 1 < checks.mode_minus_tangent.high


def test_the_range_for_one_more_seed_holds_it():
    """Half of Student's interval of n values, times the root of n + 1: what lab 10 draws around the book's mean."""
    drawn = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen, new = drawn[:, :5], drawn[:, 5]
    half = stats.t.ppf(0.975, 4) * seen.std(dim=1) / 5**0.5
    inside = ((new - seen.mean(1)).abs() <= half * 6**0.5).double().mean()
    assert float(inside) == pytest.approx(0.95, abs=0.012)
    assert float(((new - seen.mean(1)).abs() <= half).double().mean()) < 0.75, "the interval of the mean does not"
