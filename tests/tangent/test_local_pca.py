import inspect
import math

import pytest
import torch

from mgd_helpers.tangent.local_pca import check_neighborhood, local_tangent
from mgd_helpers.tangent.spaces import TangentSpace

DIM = 20


@pytest.fixture
def cloud(randn):
    """60 points near a curved three-dimensional surface in 20 dimensions, in float64."""
    inner = randn(60, 3, dtype=torch.float64)
    frame = torch.linalg.qr(randn(DIM, 6, dtype=torch.float64)).Q
    return torch.cat([inner, 0.3 * inner.square()], 1) @ frame.T + 0.01 * randn(60, DIM, dtype=torch.float64)


@pytest.fixture
def points(randn, cloud):
    return cloud[:5] + 0.1 * randn(5, DIM, dtype=torch.float64)


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


def test_a_batch_is_a_loop_over_its_points(points, cloud, randn):
    vectors = randn(5, DIM, dtype=torch.float64)
    space = local_tangent(points, cloud, n_neighbors=12, rank=3)
    for row in range(5):
        single = local_tangent(points[row : row + 1], cloud, n_neighbors=12, rank=3)
        expected = single.tangent_part(vectors[row : row + 1])
        torch.testing.assert_close(space.tangent_part(vectors)[row : row + 1], expected)
        assert torch.equal(single.indices[0], space.indices[row])


def test_a_batch_of_clouds_is_a_loop_over_them(points, cloud, randn, device):
    clouds = cloud + randn(5, 1, DIM, dtype=torch.float64) / 10 + randn(5, 60, DIM, dtype=torch.float64) / 50
    space = local_tangent(points.to(device), clouds.to(device), n_neighbors=12, rank=3)
    for row in range(5):
        single = local_tangent(points[row : row + 1], clouds[row], n_neighbors=12, rank=3)
        torch.testing.assert_close(projectors(space)[row].cpu(), projectors(single)[0], rtol=0, atol=1e-8)
        assert torch.equal(space.indices[row].cpu(), single.indices[0])


def test_one_cloud_for_all_is_the_same_cloud_for_each(points, cloud):
    shared = local_tangent(points, cloud)
    own = local_tangent(points, cloud.expand(5, -1, -1))
    torch.testing.assert_close(projectors(shared), projectors(own))


def test_turning_the_world_turns_the_tangent_space(points, cloud, randn, device):
    turn = torch.linalg.qr(randn(DIM, DIM, dtype=torch.float64)).Q
    plain = projectors(local_tangent(points, cloud))
    turned = projectors(local_tangent((points @ turn.T).to(device), (cloud @ turn.T).to(device))).cpu()
    torch.testing.assert_close(turned, turn @ plain @ turn.T, rtol=0, atol=1e-8)


def test_latents_may_keep_their_shape(points, cloud):
    flat, shaped = local_tangent(points, cloud), local_tangent(points.view(5, 4, 5), cloud.view(60, 4, 5))
    assert torch.equal(flat.indices, shaped.indices)
    torch.testing.assert_close(projectors(flat), projectors(shaped))


def test_the_order_of_the_cloud_does_not_matter(points, cloud):
    shuffled = cloud[torch.randperm(60, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(projectors(local_tangent(points, cloud)), projectors(local_tangent(points, shuffled)))


def test_neighbors_are_listed_nearest_first(points, cloud):
    space = local_tangent(points, cloud, n_neighbors=7)
    assert torch.equal(space.indices, torch.cdist(points, cloud).argsort(1)[:, :7])
    torch.testing.assert_close(space.base_point, cloud[space.indices].mean(1))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_neighbors_on_a_line_span_one_dimension_however_many_are_asked_for(randn, device, offset):
    line = offset + torch.linspace(0, 1, 40)[:, None] * torch.linspace(1, 2, 50)
    space = local_tangent(line[:2].to(device), line.to(device), n_neighbors=8, rank=3)
    assert space.rank.tolist() == [1, 1]
    torch.testing.assert_close(projectors(space, 50).diagonal(dim1=1, dim2=2).sum(1).cpu(), torch.ones(2))
    assert space.basis[:, 1:].abs().max() == 0


@pytest.mark.parametrize("n_neighbors", [3, 7])
def test_equal_neighbors_span_nothing_though_their_mean_is_rounded(randn, device, n_neighbors):
    cloud = 1000 * randn(1, 50).expand(9, 50).to(device)
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


def explained(values, share):
    """The fewest leading values that hold the share, by counting."""
    return next(count for count in range(1, len(values) + 1) if values[:count].sum() >= share * values.sum() - 1e-12)


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_a_share_takes_the_fewest_directions_that_hold_it(points, cloud, share):
    space = local_tangent(points, cloud, n_neighbors=15, rank=share)
    assert space.rank.tolist() == [explained(values, share) for values in space.spectrum]
    for row in range(5):
        fixed = local_tangent(points[row : row + 1], cloud, n_neighbors=15, rank=int(space.rank[row]))
        torch.testing.assert_close(projectors(space)[row], projectors(fixed)[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("options", [{"n_neighbors": "auto"}, {"n_neighbors": "auto", "rank": "auto"}, {"rank": 0.9}])
def test_what_adapts_to_the_place_does_not_depend_on_the_batch(randn, options):
    """A line, a plane and a thick ball side by side: every point gets neighbours and rank of its own."""
    cloud = torch.zeros(900, 12, dtype=torch.float64)
    for part, dimension in enumerate((1, 2, 8)):
        cloud[300 * part : 300 * part + 300, :dimension] = randn(300, dimension, dtype=torch.float64)
        cloud[300 * part : 300 * part + 300, 11] = 100 * part
    points = cloud[[5, 405, 705]] + 1e-3
    together = local_tangent(points, cloud, **options)
    for row in range(3):
        alone = local_tangent(points[row : row + 1], cloud, **options)
        count = int((alone.indices[0] >= 0).sum())
        assert torch.equal(alone.indices[0, :count], together.indices[row, :count])
        assert (together.indices[row, count:] == -1).all()
        assert alone.rank[0] == together.rank[row]
        torch.testing.assert_close(projectors(alone, 12)[0], projectors(together, 12)[row], rtol=0, atol=1e-8)
        torch.testing.assert_close(alone.base_point[0], together.base_point[row])
        torch.testing.assert_close(alone.spectrum[0, :count], together.spectrum[row, :count], rtol=1e-6, atol=1e-9)
    if options.get("n_neighbors") == "auto":
        assert (together.indices >= 0).sum(1).diff().min() > 0


def test_neighbors_stay_within_their_group(points, cloud, device):
    labels = torch.arange(60) % 3
    wanted = torch.tensor([2, 0, 1, 2, 2])
    space = local_tangent(points.to(device), cloud.to(device), groups=(wanted.to(device), labels.to(device)))
    for row in range(5):
        own = (labels == wanted[row]).nonzero()[:, 0]
        alone = local_tangent(points[row : row + 1], cloud[own])
        assert torch.equal(space.indices[row].cpu(), own[alone.indices[0]])
        torch.testing.assert_close(projectors(space)[row].cpu(), projectors(alone)[0], rtol=0, atol=1e-8)


def test_memory_stays_below_the_stated_bound(randn, monkeypatch):
    from mgd_helpers.tangent import neighbors

    seen, original = [], torch.Tensor.topk

    def watched(ranks, *args, **options):
        seen.append(ranks.numel() * ranks.element_size())
        return original(ranks, *args, **options)

    monkeypatch.setattr(torch.Tensor, "topk", watched)
    points, cloud = randn(20, 128), randn(100_000, 128)
    whole = local_tangent(points, cloud).indices
    assert len(seen) == 1
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", 2**20)
    assert torch.equal(local_tangent(points, cloud).indices, whole)
    blocks = seen[1::2]  # beside the merging of two results
    assert len(blocks) == 8 and max(blocks) <= 2**20


@pytest.mark.parametrize("options", [{}, {"rank": 0.9}, {"rank": "auto"}, {"n_neighbors": "auto", "rank": "auto"}])
def test_duplicates_of_a_point_leave_a_space_of_what_is_left(randn, options):
    """Twenty copies each of a few points: whatever is found is finite, and a projector."""
    cloud = randn(6, 10).repeat_interleave(20, 0)
    space = local_tangent(cloud[:30:10], cloud, **options)
    found = projectors(space, 10)
    assert found.isfinite().all()
    torch.testing.assert_close(found @ found, found, rtol=0, atol=1e-4)
    assert (found.diagonal(dim1=1, dim2=2).sum(1) - space.rank).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("points", "cloud", "options", "message"),
    [
        (
            torch.ones(2, 3),
            torch.ones(4, 5, 6, 3),
            {},
            r"cloud must be \[M, D\] for all .*; got \[4, 5, 6, 3\] for points \[2, 3\]",
        ),
        (torch.ones(2, 3), torch.ones(20, 4), {}, r"cloud must be .* got \[20, 4\] for points \[2, 3\]"),
        (torch.ones(2, 3), torch.ones(3, 20, 3), {}, r"cloud must be .* got \[3, 20, 3\] for points \[2, 3\]"),
        (
            torch.ones(2, 3),
            torch.ones(5, 3),
            {},
            "n_neighbors must lie between 2 and the 5 points of the cloud; got 12",
        ),
        (torch.full((2, 3), torch.nan), torch.ones(20, 3), {}, "points must be finite; got NaN"),
        (torch.ones(2, 3), torch.ones(20, 3).index_fill(0, torch.tensor([7]), torch.nan), {}, "cloud must be finite"),
        (
            torch.ones(2, 3),
            torch.ones(20, 3),
            {"groups": (torch.zeros(2), torch.zeros(19))},
            "groups must label the 2 points and the points of one shared cloud; got 2 and 19",
        ),
        (
            torch.ones(2, 3),
            torch.ones(20, 3),
            {"groups": (torch.tensor([0, 1]), (torch.arange(20) > 16).long())},
            "n_neighbors must lie between 2 and the 3 points of the cloud; got 12",
        ),
        (
            torch.ones(2, 3),
            torch.ones(2, 20, 3),
            {"groups": (torch.zeros(2), torch.zeros(20))},
            "groups must label .* one shared cloud",
        ),
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
        ((10, "auto", 10), "rank must lie between 1 and n_neighbors - 1 = 9; got 10"),
        ((10, "all", 3), "n_neighbors must be a number or 'auto'; got 'all'"),
        ((10, 4, "some"), "rank must be a number or 'auto'; got 'some'"),
        ((7, 4, "auto"), "cloud must hold at least 8 points for 'auto' to look around; got 7"),
        ((10, 4, 1.0), "rank must be a whole number, or a share of the variance between 0 and 1; got 1.0"),
    ],
)
def test_impossible_neighborhoods_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_neighborhood(*arguments)
