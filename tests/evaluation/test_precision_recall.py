import inspect

import numpy as np
import pytest
import torch

from mgd_helpers.evaluation.precision_recall import diversity, precision_recall, representativeness


def precision_recall_by_loops(generated, real, k):
    def distance(x, y):
        return np.sqrt(((x - y) ** 2).sum())

    def radii(rows):
        return [sorted(distance(x, y) for j, y in enumerate(rows) if j != i)[k - 1] for i, x in enumerate(rows)]

    in_real = np.array([[distance(x, y) < r for y, r in zip(real, radii(real), strict=True)] for x in generated])
    in_generated = np.array(
        [[distance(x, y) < r for x, r in zip(generated, radii(generated), strict=True)] for y in real]
    )
    return {
        "precision": in_real.any(1).mean(),
        "recall": in_generated.any(1).mean(),
        "density": in_real.sum(1).mean() / k,
        "coverage": in_real.any(0).mean(),
    }


@pytest.mark.parametrize("n_neighbors", [1, 3])
@pytest.mark.parametrize(("n", "m"), [(20, 31), (31, 20), (4, 4)])
@pytest.mark.parametrize("block_bytes", [1, 1000, 2**20])
def test_precision_recall_is_the_double_loop(randn, device, n, m, n_neighbors, block_bytes):
    generated, real = randn(n, 3) + 0.7, randn(m, 3)
    found = precision_recall(
        generated=generated.to(device), real=real.to(device), n_neighbors=n_neighbors, block_bytes=block_bytes
    )
    expected = precision_recall_by_loops(generated.double().numpy(), real.double().numpy(), n_neighbors)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("block_bytes", [1, 500, 2**20])
@pytest.mark.parametrize("offset", [0, 1000])
def test_a_set_is_all_there_in_itself_and_its_density_is_one(randn, block_bytes, offset):
    rows = randn(30, 4) + offset
    found = precision_recall(generated=rows, real=rows.flip(0), n_neighbors=4, block_bytes=block_bytes)
    assert found == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


def test_sets_far_apart_have_nothing_in_common(randn):
    found = precision_recall(generated=randn(20, 4) + 100, real=randn(30, 4))
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_precision_and_recall_change_places_with_the_sets(randn):
    one, other = randn(20, 4), randn(30, 4) * 2
    found, swapped = precision_recall(generated=one, real=other), precision_recall(generated=other, real=one)
    assert found["precision"] == swapped["recall"] != found["recall"] == swapped["precision"]


def test_a_mode_that_is_left_out_costs_recall_and_coverage_not_precision(randn):
    modes = randn(40, 3), randn(40, 3) + 50
    found = precision_recall(generated=randn(80, 3) * 0.5, real=torch.cat(modes))
    assert found["precision"] > 0.9 and found["density"] > 1
    assert found["recall"] <= 0.5 and found["coverage"] <= 0.5


def test_one_outlier_spoils_precision_but_not_density(randn):
    real, generated = randn(60, 3), randn(60, 3) + 20
    outlier = torch.cat([real, torch.full((1, 3), 30.0)])  # its ball reaches back to the real rows
    found = precision_recall(generated=generated, real=outlier)
    assert found["precision"] > 0.9 and found["density"] < 0.25 and found["coverage"] < 0.05


def test_neighbourhoods_do_not_mind_order_rotation_offset_or_scale(randn):
    generated, real = randn(20, 5, dtype=torch.float64), randn(25, 5, dtype=torch.float64)
    turn = torch.linalg.qr(randn(5, 5, dtype=torch.float64)).Q
    plain = precision_recall(generated=generated, real=real)
    assert precision_recall(generated=generated.flip(0), real=real.flip(0)) == plain
    assert precision_recall(generated=7 * generated @ turn + 100, real=7 * real @ turn + 100) == plain


def test_a_row_with_many_copies_has_an_empty_ball(randn):
    rows = torch.cat([torch.zeros(4, 3), randn(6, 3) + 9])
    found = precision_recall(generated=torch.zeros(4, 3), real=rows, n_neighbors=3)
    assert found["precision"] == found["coverage"] == 0


def cosines(one, other):
    return [[np.dot(x, y) / np.linalg.norm(x) / np.linalg.norm(y) for y in other.numpy()] for x in one.numpy()]


@pytest.mark.parametrize("quantile", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("block_bytes", [1, 200, 2**20])
def test_representativeness_and_diversity_are_the_double_loop(randn, device, monkeypatch, quantile, block_bytes):
    monkeypatch.setattr("mgd_helpers.evaluation.precision_recall.BLOCK_BYTES", block_bytes)
    generated, real = randn(7, 4, dtype=torch.float64), randn(11, 4, dtype=torch.float64)

    def summary(values):
        return np.mean(values) if quantile is None else np.quantile(values, quantile)

    served = [max(row) for row in cosines(real, generated)]
    apart = [1 - max(row[:i] + row[i + 1 :]) for i, row in enumerate(cosines(generated, generated))]
    generated, real = generated.to(device), real.to(device)
    found = representativeness(generated=generated, real=real, quantile=quantile)
    assert found == pytest.approx(summary(served), rel=1e-9)
    assert diversity(generated=generated, quantile=quantile) == pytest.approx(summary(apart), rel=1e-9)


def test_the_released_scores_are_the_minimum_with_the_sets_swapped(randn):
    generated, real = randn(6, 4), randn(9, 4)
    to_real = np.array(cosines(generated, real))
    among = np.array(cosines(generated, generated)) - 9 * np.eye(6)
    assert representativeness(generated=real, real=generated, quantile=0.0) == pytest.approx(to_real.max(1).min())
    assert diversity(generated=generated, quantile=0.0) == pytest.approx(1 - among.max())


def test_both_scores_know_directions_only(randn):
    generated, real = randn(8, 4), randn(9, 4)
    turn = torch.linalg.qr(randn(4, 4)).Q
    lengths = 1 + torch.arange(8.0)[:, None]
    plain = representativeness(generated=generated, real=real)
    assert representativeness(generated=lengths * generated @ turn, real=real @ turn) == pytest.approx(plain, rel=1e-5)
    assert diversity(generated=(lengths * generated @ turn).flip(0)) == pytest.approx(
        diversity(generated=generated), rel=1e-5
    )


def test_more_rows_represent_better_and_differ_less(randn):
    generated, real = randn(30, 5), randn(40, 5)
    served = [representativeness(generated=generated[:n], real=real) for n in (2, 5, 15, 30)]
    assert served == sorted(served)
    assert diversity(generated=generated) < diversity(generated=generated[:3])
    assert representativeness(generated=real, real=real) == pytest.approx(1)


def test_limits_of_diversity():
    assert diversity(generated=torch.ones(4, 3)) == pytest.approx(0, abs=1e-12)
    assert diversity(generated=torch.eye(4)) == 1
    assert diversity(generated=torch.tensor([[1.0, 0], [-3, 0]])) == 2
    assert diversity(generated=torch.zeros(3, 2)) == 1  # no direction, no likeness


def test_one_pair_of_copies_decides_the_minimum_not_the_mean():
    rows = torch.cat([torch.eye(20), torch.eye(20)[:1]])
    assert diversity(generated=rows, quantile=0.0) == pytest.approx(0)
    assert diversity(generated=rows, quantile=0.2) == pytest.approx(1)
    assert diversity(generated=rows) == pytest.approx(19 / 21)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_dtype_goes_and_runs_in_float64(randn, dtype):
    sets = {"generated": randn(12, 3).to(dtype), "real": randn(12, 3).to(dtype)}
    doubles = {name: rows.double() for name, rows in sets.items()}
    assert precision_recall(**sets) == precision_recall(**doubles)
    assert representativeness(**sets) == representativeness(**doubles)
    assert diversity(generated=sets["generated"]) == diversity(generated=doubles["generated"])


def test_too_few_rows_are_refused(randn):
    with pytest.raises(ValueError, match=r"generated and real need at least 6 rows; got 5 and 9.+Lower n_neighbors"):
        precision_recall(generated=randn(5, 2), real=randn(9, 2))
    with pytest.raises(ValueError, match="generated and real need at least 1 rows; got 0 and 9"):
        representativeness(generated=randn(0, 2), real=randn(9, 2))
    with pytest.raises(ValueError, match="generated must have at least 2 rows; got 1"):
        diversity(generated=randn(1, 2))


def test_wrong_numbers_are_refused(randn):
    with pytest.raises(ValueError, match="n_neighbors must be a whole number >= 1; got 0"):
        precision_recall(generated=randn(5, 2), real=randn(9, 2), n_neighbors=0)
    with pytest.raises(ValueError, match=r"quantile must be a number from 0 to 1; got 95"):
        diversity(generated=randn(3, 2), quantile=95.0)


@pytest.mark.parametrize("score", [precision_recall, representativeness])
def test_different_widths_are_refused(randn, score):
    with pytest.raises(ValueError, match="features of one width; got 3 and 4"):
        inspect.unwrap(score)(generated=randn(9, 3), real=randn(9, 4))
