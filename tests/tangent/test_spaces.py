import pytest
import torch

from mgd_helpers.tangent.local_pca import local_tangent
from mgd_helpers.tangent.spaces import whitening

DIM = 20


@pytest.fixture
def space(randn, device):
    """Spaces of rank 3 at five points of a random cloud in 20 dimensions, in float64."""
    cloud = randn(60, DIM, dtype=torch.float64).to(device)
    return local_tangent(cloud[:5] + 0.1, cloud, n_neighbors=12, rank=3)


def test_tangent_and_normal_part_add_up_and_stand_at_right_angles(space, randn, device):
    vectors = randn(5, DIM, dtype=torch.float64).to(device)
    tangent, normal = space.tangent_part(vectors), space.normal_part(vectors)
    torch.testing.assert_close(tangent + normal, vectors)
    torch.testing.assert_close((tangent * normal).sum(1), torch.zeros_like(tangent[:, 0]), rtol=0, atol=1e-10)


def test_basis_is_orthonormal_and_spans_the_tangent_part(space, randn, device):
    basis = space.basis
    torch.testing.assert_close(basis @ basis.mT, torch.eye(3, dtype=basis.dtype, device=device).expand(5, 3, 3))
    vectors = randn(5, DIM, dtype=torch.float64).to(device)
    by_basis = torch.einsum("brd,bre,be->bd", basis, basis, vectors)
    torch.testing.assert_close(space.tangent_part(vectors), by_basis)


def test_vectors_keep_their_shape_and_dtype(space, randn, device):
    vectors = randn(5, 4, 5).to(device)
    found = space.tangent_part(vectors)
    assert (found.shape, found.dtype) == (vectors.shape, vectors.dtype)
    torch.testing.assert_close(found.flatten(1), space.tangent_part(vectors.flatten(1)))


def test_whitening_makes_rows_orthonormal_and_leaves_out_what_is_not_kept(randn):
    rows = randn(2, 4, 9, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(rows @ rows.mT)
    weights = whitening(values.flip(1), vectors.flip(2), torch.tensor([[True, True], [True, False]]))
    directions = weights.mT @ rows
    expected = torch.stack([torch.eye(2), torch.diag(torch.tensor([1.0, 0.0]))]).double()
    torch.testing.assert_close(directions @ directions.mT, expected)


@pytest.mark.parametrize("shape", [(4, DIM), (5, DIM + 1)])
def test_vectors_that_do_not_fit_are_refused(space, randn, shape):
    with pytest.raises(ValueError, match=r"vectors must be one per base point, \[5, 20\] when flat; got"):
        space.tangent_part(randn(*shape))
