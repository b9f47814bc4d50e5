import math

import pytest
import torch

from mgd_helpers.fidelity import mmd


def mmd_by_loops(generated, real, bandwidth):
    def kernel(x, y):
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * bandwidth**2))

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in generated for y in real) / (len(generated) * len(real))
    return within(generated) + within(real) - 2 * across


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
@pytest.mark.parametrize("sizes", [(6, 9), (2, 2)])
def test_mmd_is_the_double_loop(draw, device, sizes, bandwidth):
    generated, real = draw(sizes[0], 4), draw(sizes[1], 4) + 1
    found = mmd(generated=generated.to(device), real=real.to(device), bandwidth=bandwidth)
    expected = mmd_by_loops(generated.tolist(), real.tolist(), bandwidth)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_bandwidth_is_the_median_distance_among_the_real(draw):
    generated, real = draw(6, 4), draw(9, 4)
    median = torch.pdist(real.double()).median().item()
    assert mmd(generated=generated, real=real) == pytest.approx(mmd(generated=generated, real=real, bandwidth=median))


def test_mmd_is_zero_on_average_between_samples_of_one_distribution(draw):
    values = torch.tensor([mmd(generated=draw(20, 3), real=draw(20, 3), bandwidth=1.5) for _ in range(200)])
    assert values.min() < 0 < values.max()
    assert values.mean().abs() < 4 * values.std() / 200**0.5


def test_mmd_grows_with_the_gap_between_the_sets(draw):
    generated, real = draw(30, 3), draw(30, 3)
    values = [mmd(generated=generated + shift, real=real) for shift in (0, 1, 2, 4)]
    assert values == sorted(values)


def test_mmd_does_not_mind_order_offset_or_rotation(draw):
    generated, real = draw(8, 5), draw(9, 5)
    turn = torch.linalg.qr(draw(5, 5)).Q
    plain = mmd(generated=generated, real=real)
    assert mmd(generated=generated.flip(0), real=real.flip(0)) == pytest.approx(plain)
    assert mmd(generated=generated @ turn + 10, real=real @ turn + 10) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize(("sizes", "got"), [((1, 5), "got 1 and 5"), ((5, 1), "got 5 and 1")])
def test_single_rows_are_refused(sizes, got):
    with pytest.raises(ValueError, match=f"generated and real need at least two rows; {got}"):
        mmd(generated=torch.zeros(sizes[0], 2), real=torch.zeros(sizes[1], 2))


@pytest.mark.parametrize("bandwidth", [None, 0.0, -1.0, float("nan")])
def test_bandwidths_that_are_not_positive_are_refused(bandwidth):
    with pytest.raises(ValueError, match=r"bandwidth must be positive; got .* \(are most real features the same\?\)"):
        mmd(generated=torch.eye(3), real=torch.ones(4, 3), bandwidth=bandwidth)
