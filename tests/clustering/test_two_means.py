import itertools

import pytest
import torch

from mgd_helpers import seeding
from mgd_helpers.clustering.two_means import _plus_plus, center, settle, split, two_means


def inertia(rows):
    return (rows - rows.mean(0)).square().sum()


def split_inertia(rows, mask):
    right = torch.tensor([bool(mask >> bit & 1) for bit in range(len(rows))])
    return inertia(rows[right]) + inertia(rows[~right])


def naive_split(rows):
    """The inertia of the best split of few rows, by trying all of them."""
    return min(split_inertia(rows, mask) for mask in range(1, 2 ** (len(rows) - 1)))


@pytest.mark.parametrize("seed", range(5))
def test_two_means_finds_the_best_of_all_splits_of_a_few_points(device, seed):
    rows = torch.randn(9, 2, generator=seeding.generator(seed), dtype=torch.float64)
    right = two_means(rows.to(device), n_init=50, generator=seeding.generator(seed)).cpu()
    torch.testing.assert_close(inertia(rows[right]) + inertia(rows[~right]), naive_split(rows))


def test_every_row_ends_at_the_nearer_center(randn, device):
    rows = randn(300, 20).to(device)
    right = two_means(rows, n_init=1, generator=seeding.generator(1))
    centers = torch.stack([rows[~right].mean(0), rows[right].mean(0)])
    assert torch.equal(torch.cdist(rows, centers).argmin(1).bool(), right)


def test_settling_is_lloyds_iteration_from_each_start(randn, device):
    rows = randn(90, 5, dtype=torch.float64).to(device)
    rows -= rows.mean(0)
    starts = (randn(90, 4).to(device) > 0.5).to(rows.dtype)
    settled, between = settle(rows, starts)
    for start, end, gain in zip(starts.T > 0, settled.T > 0, between, strict=True):
        for _ in range(100):
            centers = torch.stack([rows[~start].mean(0), rows[start].mean(0)])
            start = torch.cdist(rows, centers).argmin(1).bool()
        assert torch.equal(start, end)
        torch.testing.assert_close(len(rows) * gain, inertia(rows) - inertia(rows[end]) - inertia(rows[~end]))


def test_more_starts_are_never_worse(randn):
    rows = randn(60, 8, dtype=torch.float64)

    def left(n_init):  # the first start of five is not the only start of one: so the best of many single ones
        right = two_means(rows, n_init=n_init, generator=seeding.generator(2))
        return inertia(rows[right]) + inertia(rows[~right])

    singles = [two_means(rows, n_init=1, generator=seeding.generator(9, start)) for start in range(20)]
    singles = torch.stack([inertia(rows[right]) + inertia(rows[~right]) for right in singles])
    assert singles.std() > 0
    assert left(50) <= singles.min() + 1e-9


@pytest.mark.parametrize("candidates", [1, 3])
def test_second_center_is_drawn_by_squared_distance_and_the_best_candidate_taken(candidates, device):
    """The share of each first partition among many starts, against its probability by enumeration."""
    rows = torch.tensor([0.0, 1.0, 3.0, 7.0], dtype=torch.float64)[:, None]
    distances = torch.cdist(rows, rows).square()
    expected = {}
    for first in range(4):
        chances = distances[first] / distances[first].sum()
        for drawn in itertools.product(range(4), repeat=candidates):
            left = [torch.minimum(distances[first], distances[second]).sum().item() for second in drawn]
            second = drawn[left.index(min(left))]
            mask = tuple((distances[second] < distances[first]).tolist())
            expected[mask] = expected.get(mask, 0) + chances[list(drawn)].prod().item() / 4
    starts = 40_000
    _, block, squares, _ = center(rows.to(device), torch.arange(4, device=device))
    masks = _plus_plus(block[None], squares[None], starts, [seeding.generator(0)], candidates=candidates)[0].T.tolist()
    for mask, chance in expected.items():
        share = sum(tuple(row) == mask for row in masks) / starts
        assert abs(share - chance) <= 5 * (chance * (1 - chance) / starts) ** 0.5, mask


@pytest.mark.parametrize("power", [-140, -80, 0, 60, 90])
def test_powers_of_two_do_not_change_a_split(randn, device, power):
    rows = randn(50, 6).to(device)
    scaled = torch.ldexp(rows.double(), torch.tensor(power, device=device)).float()
    if power == -140:  # few bits are left below the normal numbers
        rows = torch.ldexp(scaled.double(), torch.tensor(140, device=device)).float()
    one, other = (two_means(block, n_init=3, generator=seeding.generator(4)) for block in (rows, scaled))
    assert torch.equal(one, other)


@pytest.mark.parametrize("size", [1e-24, 1.0, 1e25])
def test_centered_rows_have_the_mean_and_the_lengths_they_say(randn, device, size):
    rows = (size * randn(12, 5)).to(device)
    chosen = torch.tensor([7, 2, 3], device=device)
    out = torch.empty(3, 5, device=device)
    mean, block, squares, scale = center(rows, chosen, out=out)
    assert block is out
    assert (scale == 1) == (size == 1)
    torch.testing.assert_close(mean, rows[chosen].mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(block / scale + mean, rows[chosen], rtol=1e-4, atol=1e-6 * size)
    torch.testing.assert_close(squares, block.square().sum(1))
    assert 1e-3 < squares.max() < 1e3


def test_float64_rows_are_split_in_float64(randn):
    rows = 1.0 + 1e-9 * randn(40, 3, dtype=torch.float64)
    _, block, squares, _ = center(rows, torch.arange(40))
    assert block.dtype == squares.dtype == torch.float64
    right = split(block, squares, n_init=2, generator=seeding.generator(0))
    assert torch.equal(right, two_means(1e9 * (rows - 1), n_init=2, generator=seeding.generator(0)))
