import inspect
import math

import pytest
import torch

from mgd_helpers.tangent import TangentSpace, check_neighborhood, local_tangent

DIM = 20


@pytest.fixture
def cloud(draw):
    """60 points near a curved three-dimensional surface in 20 dimensions, in float64."""
    inner = draw(60, 3, dtype=torch.float64)
    frame = torch.linalg.qr(draw(DIM, 6, dtype=torch.float64)).Q
    return torch.cat([inner, 0.3 * inner.square()], 1) @ frame.T + 0.01 * draw(60, DIM, dtype=torch.float64)


@pytest.fixture
def points(draw, cloud):
    return cloud[:5] + 0.1 * draw(5, DIM, dtype=torch.float64)


def projectors(space: TangentSpace, dim: int = DIM):
    """P_T as B dense matrices, column by column."""
    unit = torch.eye(dim, dtype=space.base_point.dtype, device=space.base_point.device)
    columns = [space.tangent_part(one.expand_as(space.base_point)) for one in unit]
    return torch.stack(columns, -1)


def dense_projector(point, cloud, n_neighbors, rank):
    """The definition: covariance matrix of the nearest points and its leading eigenvectors."""
    order = sorted(range(len(cloud)), key=lambda row: (cloud[row] - point).norm().item())
    neighbors = cloud[order[:n_neighbors]]
    values, vectors = torch.linalg.eigh(neighbors.T.cov())
    leading = vectors[:, -rank:]
    return leading @ leading.T, neighbors.mean(0), values.flip(0)


@pytest.mark.parametrize(("n_neighbors", "rank"), [(12, 3), (4, 3), (30, 1), (60, 20)])
def test_projector_is_that_of_the_dense_covariance(points, cloud, device, n_neighbors, rank):
    space = local_tangent(points.to(device), cloud.to(device), n_neighbors=n_neighbors, rank=rank)
    found = projectors(space).cpu()
    for row, point in enumerate(points):
        projector, base_point, spectrum = dense_projector(point, cloud, n_neighbors, rank)
        torch.testing.assert_close(found[row], projector, rtol=0, atol=1e-8)
        torch.testing.assert_close(space.base_point[row].cpu(), base_point)
        kept = min(n_neighbors, DIM)
        torch.testing.assert_close(space.spectrum[row, :kept].cpu(), spectrum[:kept], rtol=1e-6, atol=1e-10)


def test_projector_is_one(points, cloud, device):
    space = local_tangent(points.to(device), cloud.to(device), n_neighbors=12, rank=3)
    projector = projectors(space)
    torch.testing.assert_close(projector @ projector, projector)
    torch.testing.assert_close(projector, projector.mT)
    torch.testing.assert_close(projector.diagonal(dim1=1, dim2=2).sum(1), space.rank.double())
    assert space.rank.tolist() == [3] * 5


def test_tangent_and_normal_part_add_up_and_stand_at_right_angles(points, cloud, draw, device):
    space = local_tangent(points.to(device), cloud.to(device), n_neighbors=12, rank=3)
    vectors = draw(5, DIM, dtype=torch.float64).to(device)
    tangent, normal = space.tangent_part(vectors), space.normal_part(vectors)
    torch.testing.assert_close(tangent + normal, vectors)
    torch.testing.assert_close((tangent * normal).sum(1), torch.zeros_like(tangent[:, 0]), rtol=0, atol=1e-10)


def test_basis_is_orthonormal_and_spans_the_tangent_part(points, cloud, draw, device):
    space = local_tangent(points.to(device), cloud.to(device), n_neighbors=12, rank=3)
    basis = space.basis
    torch.testing.assert_close(basis @ basis.mT, torch.eye(3, dtype=basis.dtype, device=device).expand(5, 3, 3))
    vectors = draw(5, DIM, dtype=torch.float64).to(device)
    by_basis = torch.einsum("brd,bre,be->bd", basis, basis, vectors)
    torch.testing.assert_close(space.tangent_part(vectors), by_basis)


def test_a_batch_is_a_loop_over_its_points(points, cloud, draw):
    vectors = draw(5, DIM, dtype=torch.float64)
    space = local_tangent(points, cloud, n_neighbors=12, rank=3)
    for row in range(5):
        single = local_tangent(points[row : row + 1], cloud, n_neighbors=12, rank=3)
        expected = single.tangent_part(vectors[row : row + 1])
        torch.testing.assert_close(space.tangent_part(vectors)[row : row + 1], expected)
        assert torch.equal(single.indices[0], space.indices[row])


def test_a_batch_of_clouds_is_a_loop_over_them(points, cloud, draw, device):
    clouds = cloud + draw(5, 1, DIM, dtype=torch.float64) / 10 + draw(5, 60, DIM, dtype=torch.float64) / 50
    space = local_tangent(points.to(device), clouds.to(device), n_neighbors=12, rank=3)
    for row in range(5):
        single = local_tangent(points[row : row + 1], clouds[row], n_neighbors=12, rank=3)
        torch.testing.assert_close(projectors(space)[row].cpu(), projectors(single)[0], rtol=0, atol=1e-8)
        assert torch.equal(space.indices[row].cpu(), single.indices[0])


def test_one_cloud_for_all_is_the_same_cloud_for_each(points, cloud):
    shared = local_tangent(points, cloud)
    own = local_tangent(points, cloud.expand(5, -1, -1))
    torch.testing.assert_close(projectors(shared), projectors(own))


def test_turning_the_world_turns_the_tangent_space(points, cloud, draw, device):
    turn = torch.linalg.qr(draw(DIM, DIM, dtype=torch.float64)).Q
    plain = projectors(local_tangent(points, cloud))
    turned = projectors(local_tangent((points @ turn.T).to(device), (cloud @ turn.T).to(device))).cpu()
    torch.testing.assert_close(turned, turn @ plain @ turn.T, rtol=0, atol=1e-8)


def test_the_order_of_the_cloud_does_not_matter(points, cloud):
    shuffled = cloud[torch.randperm(60, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(projectors(local_tangent(points, cloud)), projectors(local_tangent(points, shuffled)))


def test_neighbors_are_listed_nearest_first(points, cloud):
    space = local_tangent(points, cloud, n_neighbors=7)
    assert torch.equal(space.indices, torch.cdist(points, cloud).argsort(1)[:, :7])
    torch.testing.assert_close(space.base_point, cloud[space.indices].mean(1))


def test_latents_may_keep_their_shape(points, cloud, draw):
    flat, shaped = local_tangent(points, cloud), local_tangent(points.view(5, 4, 5), cloud.view(60, 4, 5))
    vectors = draw(5, 4, 5, dtype=torch.float64)
    found = shaped.tangent_part(vectors)
    assert found.shape == vectors.shape
    torch.testing.assert_close(found.flatten(1), flat.tangent_part(vectors.flatten(1)))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_neighbors_on_a_line_span_one_dimension_however_many_are_asked_for(draw, device, offset):
    line = offset + torch.linspace(0, 1, 40)[:, None] * torch.linspace(1, 2, 50)
    space = local_tangent(line[:2].to(device), line.to(device), n_neighbors=8, rank=3)
    assert space.rank.tolist() == [1, 1]
    torch.testing.assert_close(projectors(space, 50).diagonal(dim1=1, dim2=2).sum(1).cpu(), torch.ones(2))
    assert space.basis[:, 1:].abs().max() == 0


@pytest.mark.parametrize("n_neighbors", [3, 7])
def test_equal_neighbors_span_nothing_though_their_mean_is_rounded(draw, device, n_neighbors):
    cloud = 1000 * draw(1, 50).expand(9, 50).to(device)
    space = local_tangent(cloud[:1], cloud, n_neighbors=n_neighbors, rank=2)
    assert space.rank.item() == 0
    assert space.tangent_part(torch.ones(1, 50, device=device)).abs().max() == 0


def test_tangent_of_a_circle_is_the_tangent_of_a_circle(device):
    angle = torch.linspace(0, 2 * math.pi, 2001)[:-1]
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    space = local_tangent(circle[::50].to(device), circle.to(device), n_neighbors=9, rank=1)
    tangents = torch.stack([-angle.sin(), angle.cos()], 1)[::50]
    torch.testing.assert_close((space.basis[:, 0].cpu() * tangents).sum(1).abs(), torch.ones(40), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_comes_back_as_it_came(points, cloud, dtype):
    low, low_cloud = points.to(dtype), cloud.to(dtype)
    space = local_tangent(low, low_cloud)
    assert space.spectrum.dtype == space.base_point.dtype == torch.float32
    assert space.tangent_part(low).dtype == dtype
    torch.testing.assert_close(projectors(space), projectors(local_tangent(low.float(), low_cloud.float())))


@pytest.mark.parametrize(
    ("points", "cloud", "options", "message"),
    [
        (
            torch.ones(2, 3),
            torch.ones(4, 5, 6, 3),
            {},
            r"cloud must be \[M, D\] or \[B, M, D\] for points \[2, 3\]; got",
        ),
        (torch.ones(2, 3), torch.ones(20, 4), {}, r"cloud \[20, 4\] does not fit points \[2, 3\]"),
        (torch.ones(2, 3), torch.ones(3, 20, 3), {}, r"cloud \[3, 20, 3\] does not fit points \[2, 3\]"),
        (
            torch.ones(2, 3),
            torch.ones(5, 3),
            {},
            "n_neighbors must lie between 2 and the 5 points of the cloud; got 12",
        ),
        (torch.full((2, 3), torch.nan), torch.ones(20, 3), {}, "points must be finite; got NaN"),
        (torch.ones(2, 3), torch.full((20, 3), torch.inf), {}, "cloud must be finite; got NaN or infinite"),
    ],
)
def test_clouds_that_do_not_fit_are_refused(points, cloud, options, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(local_tangent)(points, cloud, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 1, 1), "n_neighbors must lie between 2 and the 10 points of the cloud; got 1"),
        ((10, 11, 3), "n_neighbors must lie between 2 and the 10 points of the cloud; got 11"),
        ((10, 4, 4), "rank must lie between 1 and n_neighbors - 1 = 3; got 4"),
        ((10, 4, 0), "rank must lie between 1 and n_neighbors - 1 = 3; got 0"),
    ],
)
def test_impossible_neighborhoods_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_neighborhood(*arguments)


@pytest.mark.parametrize("shape", [(4, DIM), (5, DIM + 1)])
def test_vectors_that_do_not_fit_are_refused(points, cloud, draw, shape):
    with pytest.raises(ValueError, match=r"vectors must be one per base point, \[5, 20\] when flat; got"):
        local_tangent(points, cloud).tangent_part(draw(*shape))
