"""The tasks of lab 5: planted slips are told apart, and other right ways pass."""

import math

import numpy as np
import pytest
import torch
from readers import told

from mgd_helpers import local_tangent
from mgd_helpers.lab import checks


def nearest(point, cloud, k):
    return cloud[(cloud - point).norm(dim=1).topk(k, largest=False).indices]


def centered(rows):
    return rows - rows.mean(0)


def main_axis(rows, column=-1):
    return torch.linalg.eigh(rows.T @ rows).eigenvectors[:, column]


def gram(rows, v, d, power=1.0):
    """The Gram trick, with any power of the eigenvalues."""
    values, w = torch.linalg.eigh(rows @ rows.T)
    values, w = values[-d:], w[:, -d:]
    return rows.T @ (w @ ((w.T @ (rows @ v)) / values**power))


def at(place, v):
    return v - (v @ place) * place


def parts(here, target):
    return at(target, target - here), at(here, target - here)


def frames(rank, dim, draws):
    return torch.linalg.qr(torch.randn(draws, dim, rank)).Q


def share(rank, dim, draws, *, of=torch.square, directions=frames):
    v = torch.nn.functional.normalize(torch.randn(dim), dim=0)
    return of((v @ directions(rank, dim, draws)).norm(dim=1)).mean()


def units(rank, dim, draws):
    return torch.nn.functional.normalize(torch.randn(draws, dim, rank), dim=1)


SLIPS = [  # (task, answer, part of the sentence)
    ("spiral_tangent", lambda p, c, k: main_axis(nearest(p, c, k)), "forgot to subtract the mean"),
    ("spiral_tangent", lambda p, c, k: main_axis(nearest(p, c, k) - p), "rows start at the point"),
    ("spiral_tangent", lambda p, c, k: main_axis(centered(nearest(p, c, k)), 0), "across the spiral"),
    ("spiral_tangent", lambda p, c, k: main_axis(centered(c)), "of the whole cloud"),
    ("spiral_tangent", lambda p, c, k: main_axis(centered(c[(c - p).norm(dim=1).topk(k).indices])), "farthest points"),
    ("spiral_tangent", lambda p, c, k: nearest(p, c, k).mean(0) - p, "mean of its neighbours"),
    ("spiral_tangent", lambda p, c, k: nearest(p, c, 1)[0] - p, "nearest neighbour alone"),
    ("spiral_tangent", lambda p, c, k: 3 * main_axis(centered(nearest(p, c, k))), "length is not 1"),
    ("spiral_tangent", lambda p, c, k: main_axis(centered(nearest(p, c, 40))), "more along another direction"),
    ("spiral_tangent", lambda p, c, k: centered(nearest(p, c, k)).sum(0) * 0, "zero vector"),
    ("spiral_tangent", lambda p, c, k: centered(nearest(p, c, k)), r"of shape \[2\]; yours has shape \[12, 2\]"),
    ("tangent_part", lambda v, p, c, k, d: gram(nearest(p, c, k), v, d), "forgot to subtract the mean"),
    ("tangent_part", lambda v, p, c, k, d: gram(nearest(p, c, k) - p, v, d), "or at another base"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, d, 0), "nothing is divided"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, d, 0.5), "root of the eigenvalues only"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, d, 2), "by the eigenvalues twice"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, d, -1), "multiplies by the eigenvalues"),
    ("tangent_part", lambda v, p, c, k, d: v - gram(centered(nearest(p, c, k)), v, d), "normal part"),
    ("tangent_part", lambda v, p, c, k, d: v, "v itself"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(c), v, d), "all points of the cloud"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, k - 1), "not the d leading ones"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v - p, d), "projecting twice"),
    (
        "tangent_part",
        lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v - nearest(p, c, k).mean(0), d),
        "direction, not a place",
    ),
    (
        "tangent_part",
        lambda v, p, c, k, d: gram(centered(c[(c - p).norm(dim=1).topk(k).indices]), v, d),
        "farthest points",
    ),
    (
        "tangent_part",
        lambda v, p, c, k, d: (
            torch.linalg.svd(centered(nearest(p, c, k))).Vh[4:7].T
            @ torch.linalg.svd(centered(nearest(p, c, k))).Vh[4:7]
            @ v
        ),
        "vary least",
    ),
    ("tangent_part", lambda v, p, c, k, d: 2 * gram(centered(nearest(p, c, k)), v, d), "projecting twice"),
    ("tangent_part", lambda v, p, c, k, d: gram(centered(nearest(p, c, k)), v, d + 2), "but not on the d directions"),
    ("tangent_part", lambda v, p, c, k, d: nearest(p, c, k) @ v, r"should be that of v, \[40\]; yours is \[12\]"),
    ("random_share", lambda r, n, m: share(r, n, m, of=torch.abs), "share of the length"),
    ("random_share", lambda r, n, m: 1 - share(r, n, m), "taken away"),
    (
        "random_share",
        lambda r, n, m: share(r, n, m, directions=lambda r, n, m: torch.randn(m, n, r)),
        "this is the rank",
    ),
    ("random_share", lambda r, n, m: share(r, n, m) * n, "this is the rank"),
    ("random_share", lambda r, n, m: share(r, n, m, directions=units), "all should be kept"),
    ("random_share", lambda r, n, m: 17.0, "between 0 and 1"),
    ("random_share", lambda r, n, m: 0.5, r"your share is 0\.50, outside 0\.0"),
    ("random_share", lambda r, n, m: torch.rand(m), r"mean over all draws; yours has shape \[400\]"),
    ("sphere_error", lambda h, t: torch.acos(h @ t), "angle between the two places"),
    ("sphere_error", lambda h, t: (parts(h, t)[0] - parts(h, t)[1]).norm(), "not yet relative"),
    ("sphere_error", lambda h, t: (parts(h, t)[0] - parts(h, t)[1]).norm() / (t - h).norm(), "relative to the whole"),
    ("sphere_error", lambda h, t: parts(h, t)[0].norm() / parts(h, t)[1].norm() - 1, "lengths of the two parts"),
    ("sphere_error", lambda h, t: (t - h) @ (t - h), "a root is missing"),
    ("sphere_error", lambda h, t: torch.cosine_similarity(*parts(h, t), dim=0), "cosine of the two parts"),
    ("sphere_error", lambda h, t: ((t - h) @ t * t - (t - h) @ h * h).norm() / ((t - h) @ h).abs(), "normal parts"),
    ("sphere_error", lambda h, t: 0.3, "by another share"),
    ("sphere_error", lambda h, t: h, r"one number is wanted; yours has shape \[5\]"),
]

RIGHT = [  # right in another way than the book's
    ("spiral_tangent", lambda p, c, k: -torch.linalg.svd(centered(nearest(p, c, k))).Vh[0]),
    ("spiral_tangent", lambda p, c, k: np.linalg.svd(np.cov(nearest(p, c, k).numpy().T))[0][:, 0]),
    ("tangent_part", lambda v, p, c, k, d: local_tangent(p[None], c, n_neighbors=k, rank=d).tangent_part(v[None])[0]),
    (
        "tangent_part",
        lambda v, p, c, k, d: (u := torch.linalg.eigh(nearest(p, c, k).T.cov()).eigenvectors[:, -d:]) @ (u.T @ v),
    ),
    ("random_share", lambda r, n, m: np.mean([share(r, n, 1).item() for _ in range(m)])),
    ("random_share", lambda r, n, m: (frames(r, n, m)[:, 0].square().sum(1)).mean()[None]),
    ("sphere_error", lambda h, t: (t - h).norm()),
    ("sphere_error", lambda h, t: 2 * math.sin(math.acos(h @ t) / 2)),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_order_of_the_eigenvalues_is_told():
    def smallest_first(v, point, cloud, k, d):
        rows = centered(nearest(point, cloud, k))
        values, w = torch.linalg.eigh(rows @ rows.T)
        return rows.T @ (w[:, 1 : d + 1] @ ((w[:, 1 : d + 1].T @ (rows @ v)) / values[1 : d + 1]))

    assert "`eigh` sorts eigenvalues upwards" in checks.tangent_part.verdict(smallest_first).sentence


def test_chance_keeps_a_range_that_does_not_hang_on_luck():
    """The right count passes whatever the seed is, because the check draws its own numbers."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)

        def counted(rank, dim, draws, generator=generator):
            directions = torch.linalg.qr(torch.randn(draws, dim, rank, generator=generator)).Q
            return directions[:, 0].square().sum(1).mean()

        assert checks.random_share.verdict(counted).outcome == "right"
