import math

import numpy as np
import pytest
import torch
from scipy import stats

from mgd_helpers.paired import augmentation_robust_score, label_robust_score, paired_difference


def test_the_interval_is_that_of_a_paired_t_test(draw):
    a, b = draw(6, 3, dtype=torch.float64), draw(6, 3, dtype=torch.float64)
    found = paired_difference(a, b)
    known = stats.ttest_rel(a.mean(1), b.mean(1)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)
    assert (found.sets, found.students) == (6, 3)


def test_what_pairs_share_cancels(draw):
    shared, own = 5 * draw(8, 2), draw(8, 2)
    alone = paired_difference(own, torch.zeros(8, 2))
    paired = paired_difference(shared + own, shared)
    assert paired.mean == pytest.approx(alone.mean, abs=1e-5)
    assert paired.high - paired.low == pytest.approx(alone.high - alone.low, rel=1e-4)


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_swapping_the_sides_mirrors_the_interval(draw, method):
    a, b = draw(7, 1), draw(7, 1)
    there, back = paired_difference(a, b, method=method), paired_difference(b, a, method=method)
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low), abs=1e-9)


def test_the_bootstrap_resamples_sets_and_not_students(draw):
    per_set = draw(5, 1)
    found = paired_difference(per_set.expand(5, 40), torch.zeros(5, 40), method="bootstrap")
    once = paired_difference(per_set, torch.zeros(5, 1), method="bootstrap")
    assert (found.low, found.high) == pytest.approx((once.low, once.high))
    reference = stats.bootstrap((per_set[:, 0].numpy(),), np.mean, method="percentile", n_resamples=20_000, rng=0)
    assert (found.low, found.high) == pytest.approx(tuple(reference.confidence_interval), abs=0.05)


@pytest.mark.parametrize(("sets", "bootstrap"), [(5, 0.84), (10, 0.90)])
def test_students_interval_covers_and_the_bootstrap_is_too_short(sets, bootstrap):
    source = torch.Generator().manual_seed(1)
    hits = {"t": 0, "bootstrap": 0}
    rounds = 1500
    for _ in range(rounds):
        differences = torch.randn(sets, 1, generator=source) + torch.randn(sets, 2, generator=source)
        for method in hits:
            found = paired_difference(differences, torch.zeros(sets, 2), method=method, rounds=400)
            hits[method] += found.low <= 0 <= found.high
    assert 0.935 < hits["t"] / rounds < 0.965
    assert abs(hits["bootstrap"] / rounds - bootstrap) < 0.03


def test_verdicts_follow_the_interval():
    rising = torch.tensor([[0.1], [0.12], [0.11], [0.13]])
    zero = torch.zeros(4, 1)
    assert paired_difference(rising, zero).verdict == "better"
    assert paired_difference(zero, rising).verdict == "worse"
    assert paired_difference(rising - 0.115, zero).verdict == "not told apart"
    assert "better" in str(paired_difference(rising, zero))


def test_a_single_set_has_no_interval():
    found = paired_difference([[0.5, 0.7]], [[0.4, 0.4]])
    assert found.mean == pytest.approx(0.2)
    assert math.isnan(found.low)
    assert found.verdict == "not told apart"


def test_scores_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match=r"a and b must both be \[sets, students\]"):
        paired_difference([[0.1, 0.2]], [[0.1], [0.2]])
    with pytest.raises(ValueError, match="a and b must be finite"):
        paired_difference([[math.nan]], [[0.1]])
    with pytest.raises(ValueError, match="method must be 't' or 'bootstrap'; got 'z'"):
        paired_difference([[0.1]], [[0.1]], method="z")


def test_robust_scores_reach_their_limits():
    best = label_robust_score(real_hard=0.0, generated_hard=1.0, generated=1.0, random=0.0)
    worst = label_robust_score(real_hard=1.0, generated_hard=0.0, generated=0.0, random=1.0)
    assert (best, worst) == pytest.approx((1, 0))
    equal = label_robust_score(real_hard=0.8, generated_hard=0.8, generated=0.5, random=0.5)
    assert equal == pytest.approx((1 - math.exp(-1)) / (math.e - math.exp(-1)))
    gains = {"generated": 1.0, "random": 0.0}
    assert augmentation_robust_score(generated_augmented=1.0, random_augmented=0.0, **gains) == pytest.approx(1)
    gains = {"generated_augmented": 0.6, "random_augmented": 0.5}
    one = augmentation_robust_score(**gains, generated=0.9, random=0.2, weight=1.0)
    assert one == pytest.approx((math.exp(0.1) - math.exp(-1)) / (math.e - math.exp(-1)))


def test_percentages_are_refused_since_they_saturate():
    with pytest.raises(ValueError, match=r"real_hard must be an accuracy between 0 and 1; got 80\.0\. Divide"):
        label_robust_score(real_hard=80.0, generated_hard=70.0, generated=70.0, random=60.0)
