import pytest
import torch

from mgd_helpers.evaluation.intervals import auc, middle, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (1, 20), (13, 20), (7, 7)])
def test_wilson_is_that_of_scipy(hits, n):
    from scipy.stats import binomtest

    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_wilson_mirrors_and_narrows():
    low, high = wilson(0.2, 30)
    assert wilson(0.8, 30) == pytest.approx((1 - high, 1 - low))
    assert low < wilson(0.2, 60.5)[0] < 0.2 < wilson(0.2, 60.5)[1] < high


@pytest.mark.parametrize(("share", "n"), [(-0.1, 5), (1.1, 5), (0.5, 0), (float("nan"), 5)])
def test_wilson_refuses_what_is_no_share(share, n):
    with pytest.raises(ValueError, match=r"(share must be a number from 0 to 1|n must be a number > 0); got"):
        wilson(share, n)


def test_auc_is_that_of_scikit_learn_and_of_all_pairs(randn):
    from sklearn.metrics import roc_auc_score

    ours, theirs = (randn(40) + 0.5).round(decimals=1), randn(60).round(decimals=1)  # with ties
    found, _ = auc(ours, theirs, rounds=1)
    assert found == pytest.approx(roc_auc_score([1] * 40 + [0] * 60, torch.cat([ours, theirs])))
    pairs = [(a > b) + 0.5 * (a == b) for a in ours.tolist() for b in theirs.tolist()]
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_auc_knows_only_order(randn):
    ours, theirs = randn(30), randn(20)
    found, interval = auc(ours, theirs)
    assert auc(ours.exp(), theirs.exp()) == (found, interval)
    assert auc(ours.flip(0), theirs)[0] == pytest.approx(found)
    assert auc(theirs, ours)[0] == pytest.approx(1 - found)
    assert auc(-ours, -theirs)[0] == pytest.approx(1 - found)


def test_auc_at_its_limits():
    high, low = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0])
    assert auc(high, low) == (1.0, (1.0, 1.0))
    assert auc(low, high) == (0.0, (0.0, 0.0))
    assert auc(torch.ones(4), torch.ones(3)) == (0.5, (0.5, 0.5))


def test_the_bootstrap_is_as_wide_as_hanley_and_mcneil_say(randn):
    found, (low, high) = auc(randn(200) + 0.5, randn(300))
    one, two = found / (2 - found), 2 * found**2 / (1 + found)
    variance = found * (1 - found) + 199 * (one - found**2) + 299 * (two - found**2)
    assert high - low == pytest.approx(2 * 1.96 * (variance / (200 * 300)) ** 0.5, rel=0.15)
    assert low < found < high


@pytest.mark.slow
def test_auc_of_equal_distributions_covers_one_half(randn):
    covers = [low <= 0.5 <= high for _, (low, high) in (auc(randn(40), randn(40), rounds=200) for _ in range(100))]
    assert sum(covers) >= 87  # 95 expected; fewer than 87 by chance once in a thousand


@pytest.mark.parametrize(("ours", "theirs"), [([], [1.0]), ([1.0], []), ([float("nan")], [1.0])])
def test_scores_without_rank_are_refused(ours, theirs):
    with pytest.raises(ValueError, match="ours and theirs must hold scores, none of them NaN"):
        auc(torch.tensor(ours), torch.tensor(theirs))


def test_middle_leaves_equal_tails():
    assert middle(torch.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert middle(torch.arange(101.0), share=0.5) == pytest.approx((25, 75))
