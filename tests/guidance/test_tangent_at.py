import pytest
import torch

from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import ManifoldPull
from mgd_helpers.tangent.local_pca import local_tangent
from mgd_helpers.tangent.spaces import TangentSpace

LATENT = (2, 3, 4)


def level(sample):
    return NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 5, sample)


def test_the_tangent_at_the_prediction_is_local_pca_there(randn, device):
    cloud, denoised = randn(60, *LATENT).to(device), randn(3, *LATENT).to(device)
    for options in (
        {"n_neighbors": 9, "rank": 2},
        {"rank": 0.8},
        {"n_neighbors": "auto", "rank": "auto"},
        {"groups": (torch.tensor([0, 1, 1]), torch.arange(60) % 2)},
    ):
        found = tangent_at.denoised(cloud, **options)(denoised, level(denoised))
        expected = local_tangent(denoised, cloud, **({"n_neighbors": 24, "rank": 8} | options))
        v = randn(3, *LATENT).to(device)
        torch.testing.assert_close(found.tangent_part(v), expected.tangent_part(v), rtol=1e-4, atol=1e-5)
        assert torch.equal(found.rank, expected.rank)


def test_a_tangent_of_ones_own_takes_the_place_of_the_string(randn):
    """Along the first axis alone."""
    targets, denoised = randn(2, 3, *LATENT)
    axis = torch.zeros(3, 1, *LATENT)
    axis[:, 0, 0, 0, 0] = 2.0

    def first_axis(denoised, level):
        return TangentSpace.from_basis(denoised, axis)

    moved = ManifoldPull(targets, tangent=first_axis, strength=1.0)(denoised, level(denoised)) - denoised
    expected = torch.zeros_like(moved)
    expected[:, 0, 0, 0] = (targets - denoised)[:, 0, 0, 0]
    torch.testing.assert_close(moved, expected)


def test_a_space_from_a_basis_is_the_span_of_its_rows(randn):
    basis, points, v = randn(4, 3, 10), randn(4, 10), randn(4, 10)
    basis[1, 2] = basis[1, 0] + basis[1, 1]  # spanned already
    basis[2, 0] = 0
    space = TangentSpace.from_basis(points, basis)
    assert space.rank.tolist() == [3, 2, 2, 3]
    for row in range(4):
        projector = torch.linalg.pinv(basis[row].double(), rtol=1e-5) @ basis[row].double()
        torch.testing.assert_close(
            space.tangent_part(v)[row].double(), projector @ v[row].double(), rtol=1e-4, atol=1e-5
        )
    torch.testing.assert_close(space.tangent_part(v) + space.normal_part(v), v)
    assert torch.equal(space.base_point, points)
    orthonormal = space.basis[0] @ space.basis[0].T
    torch.testing.assert_close(orthonormal, torch.eye(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 10), (4, 10)), r"basis must be \[B, rank, D\] for base_point \[B, D\]"),
        (((4, 10), (3, 2, 10)), r"basis must be \[B, rank, D\]"),
        (((4, 10), (4, 2, 9)), r"basis must be \[B, rank, D\] .* got \[4, 2, 9\] and \[4, 10\]"),
    ],
)
def test_a_basis_that_does_not_fit_is_refused(randn, unchecked, shapes, message):
    with pytest.raises(ValueError, match=message):
        unchecked(TangentSpace.from_basis.__func__)(TangentSpace, randn(*shapes[0]), randn(*shapes[1]))


def test_a_cloud_is_made_ready_once(randn, monkeypatch):
    made, original = [], tangent_at.TangentSpaces
    monkeypatch.setattr(tangent_at, "TangentSpaces", lambda *a, **k: made.append(1) or original(*a, **k))
    cloud, denoised = randn(60, *LATENT), randn(3, *LATENT)
    for place in (tangent_at.denoised(cloud), tangent_at.target(denoised, cloud)):
        made.clear()
        for _ in range(3):
            place(denoised, level(denoised))
        assert made == [1]


def test_clouds_that_do_not_fit_are_told(randn):
    cloud = randn(60, *LATENT)
    with pytest.raises(
        ValueError, match=r"cloud must be \[M, \*latent\] .* for 2 images \[4\]; .* Encode it with this"
    ):
        tangent_at.denoised(cloud)(randn(2, 4), level(randn(2, 4)))
    with pytest.raises(ValueError, match="cloud must be finite"):
        tangent_at.sample(cloud / 0)
    with pytest.raises(ValueError, match="rank must be a number or 'auto'; got 'all'"):
        tangent_at.denoised(cloud, rank="all")
