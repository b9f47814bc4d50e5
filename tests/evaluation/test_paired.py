import math

import numpy as np
import pytest
import torch

from mgd_helpers.evaluation.paired import (
    _normalized,
    augmentation_robust_score,
    holm,
    label_robust_score,
    paired_difference,
    pooled_difference,
)

METHODS = ["t", "bootstrap"]


def accuracies(randn, sets, students):
    """Sets that differ, students that differ, and what is left; a and b of one seed share the first two."""
    shared = 0.7 + 0.1 * randn(sets, 1) + 0.05 * randn(1, students)
    return shared + 0.01 * randn(sets, students), shared + 0.01 * randn(sets, students)


@pytest.mark.parametrize("method", METHODS)
def test_turning_sides_turns_the_answer(randn, method):
    a, b = accuracies(randn, 5, 3)
    ours, theirs = paired_difference(a + 0.1, b, method=method), paired_difference(b, a + 0.1, method=method)
    assert (ours.verdict, theirs.verdict) == ("better", "worse")
    assert (ours.mean, ours.low, ours.high) == pytest.approx((-theirs.mean, -theirs.high, -theirs.low), abs=0.002)
    assert ours.p_value == pytest.approx(theirs.p_value)
    assert (ours.sets, ours.students) == (5, 3)


@pytest.mark.parametrize("method", METHODS)
def test_what_both_sides_share_does_not_matter(randn, method):
    a, b = accuracies(randn, 5, 2)
    shared = randn(5, 2).double()
    plain, moved = paired_difference(a, b, method=method), paired_difference(a + shared, b + shared, method=method)
    assert (moved.mean, moved.low, moved.high) == pytest.approx((plain.mean, plain.low, plain.high), abs=1e-6)
    doubled = paired_difference(a.double() * 2, b.double() * 2, method=method)
    assert (doubled.low, doubled.high) == pytest.approx((2 * plain.low, 2 * plain.high), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_lies_inside_and_confidence_widens(randn, method):
    a, b = accuracies(randn, 6, 2)
    narrow, wide = (paired_difference(a, b, method=method, confidence=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    assert narrow.mean == pytest.approx((a - b).mean().item(), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_p_value_is_where_the_interval_touches_zero(randn, method):
    a, b = accuracies(randn, 8, 2)
    a += b.mean() - a.mean() + 0.004
    found = paired_difference(a, b, method=method)
    assert 0.1 < found.p_value < 0.9
    touching = paired_difference(a, b, method=method, confidence=1 - found.p_value)
    assert touching.low == pytest.approx(0, abs=0.01 * touching.high)


def test_the_bootstrap_never_says_impossible():
    sure = paired_difference([[0.9], [0.8]], [[0.1], [0.1]], method="bootstrap", rounds=199)
    assert (sure.verdict, sure.p_value) == ("better", 0.01)


def test_t_is_the_paired_test_of_scipy_on_set_means(randn):
    from scipy import stats

    a, b = (side.double() for side in accuracies(randn, 7, 3))
    found = paired_difference(a, b, confidence=0.9)
    expected = stats.ttest_rel(a.mean(1), b.mean(1))
    interval = expected.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_pooling_one_data_set_changes_nothing(randn):
    a, b = accuracies(randn, 4, 2)
    assert pooled_difference([(a, b)]) == paired_difference(a, b)


def test_pooling_two_data_sets_is_the_test_of_welch(randn):
    """The mean of d and -e is half the difference of d and e, which scipy compares without equal variances."""
    from scipy import stats

    (a, b), (c, d) = ([side.double() for side in accuracies(randn, sets, 1)] for sets in (5, 9))
    found = pooled_difference([(a, b), (d, 3 * c)], confidence=0.9)  # of another spread
    expected = stats.ttest_ind((a - b)[:, 0], (3 * c - d)[:, 0], equal_var=False)
    interval = expected.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low / 2, interval.high / 2))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.sets, found.students) == (14, 1)


def test_every_data_set_counts_as_much():
    few, many = ([[0.5], [0.51]], [[0.1]] * 2), ([[0.5]] * 8, [[0.5]] * 8)
    found = pooled_difference([few, many])
    assert (found.mean, found.verdict) == (pytest.approx(0.2025), "better")
    with pytest.raises(ValueError, match="pairs must hold"):
        pooled_difference([])
    with pytest.raises(ValueError, match="of two sets at least"):
        pooled_difference([few, ([[0.5]], [[0.5]])])


@pytest.mark.slow
def test_the_bootstrap_is_a_loop_over_sets_and_students(randn):
    a, b = accuracies(randn, 4, 3)
    found = paired_difference(a, b, method="bootstrap", rounds=40_000)
    random = np.random.default_rng(1)
    gaps = (a - b).double().numpy()
    means = []
    for _ in range(20_000):
        rows = random.integers(4, size=4)
        means.append(np.mean([[gaps[row, random.integers(3)] for _ in range(3)] for row in rows]))
    spread = np.std(means)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.06 * spread)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_equal_differences_say_nothing_of_their_spread(method, gap):
    b = torch.tensor([[0.1], [0.25], [0.7], [0.8]], dtype=torch.float64)
    found = paired_difference(b + gap, b, method=method)
    assert found.mean == pytest.approx(gap)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert (found.verdict, found.p_value) == ("not told apart", 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("students", [1, 2, 3])
@pytest.mark.parametrize("sets", [2, 3, 5, 6, 7, 10])
def test_equal_counts_differ_equally_however_they_are_rounded(sets, students, method):
    random = np.random.default_rng(0)
    for gap in range(1, 40):
        right = random.integers(100, 250, (sets, students))
        a, b = torch.tensor((right + gap) / 297), torch.tensor(random.permuted(right, axis=1) / 297)
        if method == "bootstrap":  # draws students, too: only where these differ equally is nothing known
            b = torch.tensor(right / 297)
        found = paired_difference(a, b, method=method, rounds=50)
        assert (found.verdict, found.p_value) == ("not told apart", 1)
        assert math.isnan(found.low)


def test_a_p_value_does_not_depend_on_the_confidence():
    a, b = [[0.9], [0.9], [0.9], [0.8]], [[0.1]] * 4
    narrow, wide = (paired_difference(a, b, method="bootstrap", confidence=level) for level in (0.05, 0.95))
    assert narrow.p_value == wide.p_value < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("sets", "data_sets"), [(2, 1), (3, 1), (2, 3)])
def test_ways_that_do_not_differ_are_rarely_told_apart(sets, data_sets):
    """Accuracies are counts of few test images, so that differences of two or three sets are often equal by luck."""
    random, told = np.random.default_rng(0), 0
    for _ in range(1000):
        pairs = [random.binomial(100, 0.8, (2, sets, 1)) / 100 for _ in range(data_sets)]
        told += pooled_difference([(torch.tensor(a), torch.tensor(b)) for a, b in pairs]).verdict != "not told apart"
    assert told < 0.065 * 1000


def test_one_seed_gives_one_answer_and_lists_will_do(randn):
    a, b = accuracies(randn, 4, 2)
    one, same, other = (paired_difference(a, b, method="bootstrap", rounds=500, seed=seed) for seed in (0, 0, 1))
    assert one == same != other
    assert paired_difference(a.tolist(), b.tolist()) == paired_difference(a, b)
    assert "4 sets, 2 students each" in str(one)


def coverage(*, sets, students, method, between, trials, common=0.0, rounds=300):
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(trials):
        noise = (between, (sets, 1)), (common, (1, students)), (1.0, (sets, students))
        a = sum(scale * torch.randn(*shape, generator=generator, dtype=torch.float64) for scale, shape in noise)
        found = paired_difference(a, torch.zeros_like(a), method=method, rounds=rounds)
        hits += found.low <= 0 <= found.high
    return hits / trials


@pytest.mark.slow
@pytest.mark.parametrize("between", [0.0, 1.0])
@pytest.mark.parametrize(("sets", "students"), [(3, 2), (5, 1), (5, 3), (10, 1), (10, 2)])
def test_the_default_covers_what_it_says(sets, students, between):
    assert 0.92 < coverage(sets=sets, students=students, method="t", between=between, trials=1000) < 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sets", "students", "low", "high"), [(3, 1, 0.68, 0.80), (5, 3, 0.85, 0.94), (5, 1, 0.79, 0.89)]
)
def test_the_bootstrap_of_few_sets_is_too_narrow_as_its_docstring_says(sets, students, low, high):
    assert low < coverage(sets=sets, students=students, method="bootstrap", between=1.0, trials=400) < high


def test_nothing_sees_what_all_sets_share():
    assert coverage(sets=10, students=1, method="t", between=1.0, common=0.5, trials=400) < 0.9


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((3, 2), (3, 1)), r"of equal shape, of two sets at least; got \[3, 2\] and \[3, 1\]"),
        (((1, 2), (1, 2)), r"of two sets at least; got \[1, 2\]"),
        (((3, 0), (3, 0)), r"got \[3, 0\]"),
    ],
)
def test_accuracies_that_do_not_pair_are_refused(shapes, words):
    a, b = (np.zeros(shape).tolist() for shape in shapes)
    with pytest.raises(ValueError, match=words):
        paired_difference(a, b)


def test_other_values_that_make_no_sense_are_refused():
    two = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="a and b must be finite"):
        paired_difference(two, two + float("nan"))
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="confidence must be a number > 0 and < 1"):
            paired_difference(two, two, confidence=confidence)
    with pytest.raises(ValueError, match="method must be one of t, bootstrap; got 'z'"):
        paired_difference(two, two, method="z")


def test_holm_grows_keeps_order_and_ends_at_bonferroni():
    p_values = [0.04, 0.001, 0.03, 0.6, 0.001]
    adjusted = holm(p_values)
    assert adjusted == pytest.approx([0.09, 0.005, 0.09, 0.6, 0.005])
    assert all(after >= before for after, before in zip(adjusted, p_values, strict=True))
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]


def test_holm_rejects_as_its_step_down_rule_does():
    random = np.random.default_rng(0)
    for _ in range(200):
        p_values = (random.random(6) * 0.1).tolist()
        rejected = set()
        for rank, place in enumerate(np.argsort(p_values)):
            if p_values[place] > 0.05 / (6 - rank):
                break
            rejected.add(int(place))
        assert {place for place, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


LABELS = {"real_hard": 0.9, "generated_hard": 0.6, "generated_any": 0.7, "random_any": 0.55}
AUGMENTED = {"generated_augmented": 0.7, "random_augmented": 0.6, "generated_plain": 0.5, "random_plain": 0.45}


def test_scores_at_their_limits():
    best = {"real_hard": 0.0, "generated_hard": 1.0, "generated_any": 1.0, "random_any": 0.0}
    assert label_robust_score(**best) == pytest.approx(1)
    assert label_robust_score(**{name: 1 - value for name, value in best.items()}) == pytest.approx(0)
    best = dict.fromkeys(AUGMENTED, 0.0) | {"generated_augmented": 1.0, "generated_plain": 1.0}
    assert augmentation_robust_score(**best) == pytest.approx(1)
    assert augmentation_robust_score(**{name: 1 - value for name, value in best.items()}) == pytest.approx(0)
    neither = (1 - 1 / math.e) / (math.e - 1 / math.e)
    assert label_robust_score(**dict.fromkeys(LABELS, 0.3)) == pytest.approx(neither) == pytest.approx(0.269, abs=5e-4)
    assert augmentation_robust_score(**dict.fromkeys(AUGMENTED, 0.3)) == pytest.approx(neither)


def test_scores_are_the_formula():
    for weight in (0.0, 0.3, 1.0):
        alpha = weight * (0.7 - 0.55) - (1 - weight) * (0.9 - 0.6)
        expected = math.expm1(alpha + 1) / math.expm1(2)
        assert label_robust_score(**LABELS, weight=weight) == pytest.approx(expected)
        beta = weight * 0.1 + (1 - weight) * 0.05
        assert augmentation_robust_score(**AUGMENTED, weight=weight) == pytest.approx(
            math.expm1(beta + 1) / math.expm1(2)
        )


@pytest.mark.parametrize("score,values", [(label_robust_score, LABELS), (augmentation_robust_score, AUGMENTED)])
def test_scores_move_the_right_way_and_refuse_percentages(score, values):
    for name, value in values.items():
        gain = score(**values | {name: value + 0.05}) - score(**values)
        assert (gain > 0) == name.startswith("generated")
    for name in values:
        with pytest.raises(ValueError, match=f"{name} must be a number from 0 to 1; got 55.*Divide percentages by 100"):
            score(**values | {name: 55.0})
    with pytest.raises(ValueError, match="weight"):
        score(**values, weight=-0.1)


def test_percentages_would_saturate():
    assert _normalized(-5.0) == pytest.approx(_normalized(-50.0), abs=0.003)
    assert _normalized(-50.0) == pytest.approx(-0.1565, abs=1e-4)
    assert _normalized(5.0) > 60
    assert _normalized(-0.05) - _normalized(-0.5) > 0.1  # the same losses as fractions are told apart
