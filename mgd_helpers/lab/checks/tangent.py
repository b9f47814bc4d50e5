"""The tasks of lab 5: a tangent that one can see, the Gram trick, what chance keeps, and a tangent taken elsewhere."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.toys import spiral
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, between, law, line, same
from mgd_helpers.lab.checks.predictions import Order, Prediction
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.tangent import TangentSpace, local_tangent

PCA, PAGE = "Principal components", "Which way may a latent move?"

kept_by_chance = Prediction("kept_by_chance", low=0, high=1, near=2e-4)
steps = Order("steps", "tangent", "normal", "random")


@task(
    chapter=5,
    refresher=PCA,
    hints=(
        "sort the points of the cloud by their distance from the point, and keep the first few as rows.",
        "a direction says how the neighbours differ from each other. So what has to be subtracted from the rows?",
        "the direction is the leading eigenvector of rowsᵀ rows; `eigh` returns it last, as a column.",
    ),
)
def spiral_tangent(answer: Any) -> None:
    """The direction [2], of either sign, in which a spiral runs near a point [2], from its nearest points [N, 2]."""
    cloud = spiral(200, noise=0.03, seed=1)
    point, n_neighbors = cloud[120] + torch.tensor([0.06, -0.1]), 12
    got = numbers(ask(answer, point, cloud, n_neighbors))
    law(got.shape == (2,), f"one direction is wanted, of shape [2]; yours has shape {list(got.shape)}.")
    law(got.norm() > 1e-6, "this is the zero vector, which has no direction.")
    right, order = local_tangent(point[None], cloud, n_neighbors=n_neighbors, rank=1), (cloud - point).norm(dim=1)
    near, far = cloud[right.indices[0]], cloud[order.topk(n_neighbors).indices]
    slips = {
        "you forgot to subtract the mean of the neighbours.": _main(near),
        "the rows start at the point; subtract the mean of the neighbours instead.": _main(near - point),
        "this runs across the spiral: the direction of the least variance.": _main(near - near.mean(0), which=1),
        "this is the direction of the whole cloud: the neighbours alone should count.": _main(cloud - cloud.mean(0)),
        "these are the farthest points, not the nearest ones.": _main(far - far.mean(0)),
        "this leads from the point to the mean of its neighbours.": near.mean(0) - point,
        "this leads to the nearest neighbour alone; all of them have a say.": near[0] - point,
    }
    same(
        line(got),
        line(right.basis[0, 0]),
        slips={slip: line(wrong) for slip, wrong in slips.items()},
        otherwise="the neighbours vary more along another direction than along this one.",
    )
    law(alike(got.norm(), torch.ones(())), "the direction is right, but its length is not 1.")


@task(
    chapter=5,
    refresher=PAGE,
    hints=(
        "the rows are the nearest points, less their own mean. Make the small matrix of their scalar products.",
        "read P_T v from the right: scalar products of the rows with v, then W_d, Λ_d and W_d again, then the rows.",
        "`eigh` sorts upwards, so the last d eigenvalues and columns count. Divide the d numbers W_dᵀ (Y v) by them.",
    ),
)
def tangent_part(answer: Any) -> None:
    """P_T v for a vector v [D], at a point [D], from its k nearest points of a cloud [N, D], with d directions."""
    k, d, dim = 12, 3, 40
    sizes = torch.cat([torch.tensor([4.0, 3.0, 2.0]), torch.full((dim - 3,), 0.15)])
    cloud = 1.5 + sizes * torch.randn(80, dim)
    point, v = 1.5 + 0.5 * torch.randn(dim), torch.randn(dim)
    got = numbers(ask(answer, v, point, cloud, k, d))
    space = local_tangent(point[None], cloud, n_neighbors=k, rank=d)
    right = space.tangent_part(v[None])[0]
    near = cloud[space.indices[0]]
    rows, far = near - near.mean(0), cloud[(cloud - point).norm(dim=1).topk(k).indices]
    slips = {
        "you forgot to subtract the mean of the neighbours.": _projected(near, v, d),
        "the rows start at the point, or at another base; subtract the mean of the neighbours.": (
            _projected(near - point, v, d)
        ),
        "nothing is divided by the eigenvalues.": _weighted(rows, v, d, power=0.0),
        "this divides by the root of the eigenvalues only.": _weighted(rows, v, d, power=0.5),
        "this divides by the eigenvalues twice.": _weighted(rows, v, d, power=2.0),
        "this multiplies by the eigenvalues; they have to be taken out.": _weighted(rows, v, d, power=-1.0),
        "this is the normal part: what the projection takes away.": v - right,
        "this is v itself: with all directions nothing is projected.": v,
        "all points of the cloud took part; only the nearest ones should.": _projected(cloud - cloud.mean(0), v, d),
        "these are the farthest points, not the nearest ones.": _projected(far - far.mean(0), v, d),
        "all k - 1 directions took part, not the d leading ones.": _projected(rows, v, k - 1),
        "v is a direction, not a place: the base point is not subtracted from it.": (
            space.tangent_part((v - near.mean(0))[None])[0]
        ),
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong), slip)
    law(got.shape == (dim,), f"the shape should be that of v, [{dim}]; yours is {list(got.shape)}.")
    leading = space.tangent_part(got.float()[None])[0]
    law(
        leading.norm() > 1e-2 * got.norm(),
        "it lies where the neighbours vary least: `eigh` sorts eigenvalues upwards.",
    )
    again = numbers(ask(answer, got.float(), point, cloud, k, d))
    law(alike(again, got, tolerance=1e-3), "projecting twice should be projecting once, and is not.")
    same(got, right, slips={}, otherwise="this is a projection, but not on the d directions of largest variance.")


@task(
    chapter=5,
    refresher=PAGE,
    hints=(
        "d random vectors span a random subspace, but they are not at right angles. Which function straightens them?",
        "with orthonormal directions in columns U, the part of v has the squared length of Uᵀ v.",
        "`torch.linalg.qr` takes a batch [draws, D, d]. Compare squared lengths, then take the mean over all draws.",
    ),
)
def random_share(answer: Any) -> None:
    """The mean share of ‖v‖² that random subspaces of this rank keep in this many dimensions, over so many draws."""
    rank, dim, draws = 4, 60, 400
    got = numbers(ask(answer, rank, dim, draws)).squeeze()
    law(got.ndim == 0, f"one number is wanted, the mean over all draws; yours has shape {list(got.shape)}.")
    v, rows = torch.randn(dim).expand(draws, dim), torch.randn(draws, rank, dim)
    parts = TangentSpace.from_basis(v, rows).tangent_part(v)
    shares = parts.square().sum(1) / v.square().sum(1)
    reach = 6 * (shares.std() / draws**0.5).item()  # of two means, each with its own luck

    def near(value: Tensor) -> bool:
        return bool((got - value).abs() <= reach)

    loose = (rows @ v[0][:, None])[..., 0].square().sum(1) / v.square().sum(1)
    law(not near(shares.sqrt().mean()), "this is the share of the length; compare squared lengths.")
    law(not near(1 - shares.mean()), "this is the share that is taken away.")
    law(
        (got - loose.mean()).abs() > 0.2 * loose.mean(),
        "this is the rank: are the directions orthonormal, and is it over ‖v‖²?",
    )
    law(0 <= got <= 1, "a share lies between 0 and 1, and this does not.")
    mean = shares.mean().item()
    between(got, mean - reach, mean + reach, name="your share", why="so we count with this rank and dimension.")
    whole = numbers(ask(answer, 6, 6, 20)).squeeze()
    law(alike(whole, torch.ones(())), "with as many directions as dimensions all should be kept: are they orthonormal?")


@task(
    chapter=5,
    refresher=PAGE,
    hints=(
        "on a sphere of radius 1 around 0, what stands at right angles to the tangent space at x? The vector x itself.",
        "so the tangent part of v at x is v less its projection on x.",
        "take the tangent parts of target - here at both places; the length of their difference, over the one at here.",
    ),
)
def sphere_error(answer: Any) -> None:
    """The relative error of the pull's tangent part at a point [D] of the unit sphere, taken at the target [D]."""
    for angle in (0.9, 2.2):
        frame = torch.linalg.qr(torch.randn(5, 5)).Q
        turn = torch.tensor(angle)
        here, target = frame[0], turn.cos() * frame[0] + turn.sin() * frame[1]
        pull = target - here
        exact, cached = (_on_sphere(place).tangent_part(pull[None])[0] for place in (here, target))
        error, length = (cached - exact).norm(), exact.norm()
        across = [pull - exact, pull - cached]
        got = numbers(ask(answer, here, target)).squeeze()
        law(
            (got.abs() > 1e-5).any(),
            "this compares the lengths of the two parts, which agree; compare the vectors.",
        )
        slips = {
            "this is the angle between the two places, not the error.": turn,
            "the error is not yet relative: divide by the length of the exact part.": error,
            "this is relative to the whole pull; divide by the length of its exact tangent part.": error / pull.norm(),
            "this is the squared error: a root is missing.": (error / length).square(),
            "these are the normal parts: take away what points along the radius.": (across[1] - across[0]).norm()
            / across[0].norm(),
            "this is the cosine of the two parts, not their difference.": (cached @ exact) / length.square(),
        }
        same(got, error / length, slips=slips, otherwise="the two tangent parts differ by another share than this.")


def _main(rows: Float[Tensor, "k d"], which: int = 0) -> Float[Tensor, " d"]:
    return torch.linalg.svd(rows).Vh[which]


def _projected(rows: Float[Tensor, "k d"], v: Float[Tensor, " d"], rank: int) -> Float[Tensor, " d"]:
    """The projection of v on the leading directions of rows, whatever was subtracted from them."""
    leading = torch.linalg.svd(rows, full_matrices=False).Vh[:rank]
    return TangentSpace.from_basis(v[None], leading[None]).tangent_part(v[None])[0]


def _weighted(rows: Float[Tensor, "k d"], v: Float[Tensor, " d"], rank: int, *, power: float) -> Float[Tensor, " d"]:
    """Each leading direction of rows, weighted by a wrong power of its eigenvalue."""
    _, lengths, directions = torch.linalg.svd(rows, full_matrices=False)
    weights = lengths[:rank] ** (2 - 2 * power) * (directions[:rank] @ v)
    return weights @ directions[:rank]


def _on_sphere(place: Float[Tensor, " d"]) -> TangentSpace:
    """All directions at right angles to a place on the unit sphere."""
    return TangentSpace.from_basis(place[None], torch.linalg.svd(place[None], full_matrices=True).Vh[None, 1:])
