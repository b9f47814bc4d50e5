"""The first six tasks of "Are you ready?": shapes, masks, matrices, and the geometry that follows from them."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, law, line, same
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.linalg import squared_distances
from mgd_helpers.tangent import TangentSpace, local_tangent

PCA, MEANS = "Principal components", "Conditional means"
MATRIX = torch.tensor([[5.0, 2.0], [2.0, 2.0]], dtype=torch.float64)  # of the fourth task


@task(
    chapter=0,
    refresher="the page on broadcasting in PyTorch's documentation",
    hints=(
        "write the two shapes one above the other, aligned at the right. Which axes have to differ, which to agree?",
        "an index of None adds an axis of length 1, and an axis of length 1 is repeated as often as needed.",
        "bring the points to [N, 1, D]; subtract the cloud; square; then add over one axis.",
    ),
)
def pairwise(answer: Any) -> None:
    """All squared distances [N, M] between points [N, D] and a cloud [M, D]."""
    points, cloud = torch.randn(4, 3), torch.randn(5, 3)
    got, right = numbers(ask(answer, points, cloud)), squared_distances(points, cloud)
    law(got.shape != (4, 5, 3), "one number for each coordinate is left: the squares are not added up yet.")
    slips = {
        "these are distances, and squared distances are wanted: no root here.": right.sqrt(),
        "rows and columns are exchanged: entry (i, j) belongs to point i and to point j of the cloud.": right.mT,
        "the squares are averaged over the coordinates; they have to be added.": right / 3,
        "the differences are added first and squared afterwards: signs cancel that way.": (
            points.sum(1)[:, None] - cloud.sum(1)
        ).square(),
    }
    same(got, right, slips=slips, otherwise="the shape is right, but the numbers are no squared distances.")


@task(
    chapter=0,
    refresher=MEANS,
    hints=(
        "`labels == label` gives True or False for each row. What happens if you use that as an index?",
        "a mask of length N in the first place of an index keeps the rows where it is True, with all their columns.",
        "keep the rows first; then take the mean over the axis that counts rows.",
    ),
)
def class_mean(answer: Any) -> None:
    """The mean [D] of those rows [N, D] whose label is the one that is asked for."""
    rows, labels = 3 + torch.randn(7, 4), torch.tensor([0, 1, 2, 1, 0, 1, 2])
    got, chosen = numbers(ask(answer, rows, labels, 1)), labels == 1
    slips = {
        "this is the mean of all rows: the labels do nothing yet.": rows.mean(0),
        "this is the mean of the rows of all other classes: the mask is upside down.": rows[~chosen].mean(0),
        "the sum runs over the rows of the class, but it is divided by the number of all rows.": (
            rows * chosen[:, None]
        ).mean(0),
        "this is the sum of the rows of the class, not yet their mean.": (rows * chosen[:, None]).sum(0),
        "this is one mean for each row: average over the rows, not over the columns.": rows[chosen].mean(1),
        "this is one number: average over the rows alone, and keep the columns.": rows[chosen].mean(),
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong), slip)
    law(got.shape == (4,), f"the shape should be [4], one mean for each column; yours is {list(got.shape)}.")
    rest = (rows[chosen] - got).sum(0)
    law(rest.abs().max() < 1e-3, "the rows of the class should lie around their mean, and these do not.")


@task(
    chapter=0,
    refresher=PCA,
    hints=(
        "a product [k, D] @ [D, k] has shape [k, k]. Which of the two factors is the transposed one?",
        "`@` multiplies the last two axes, and takes the axes before them as a batch.",
        "`.mT` exchanges the last two axes and leaves the batch alone; `.T` exchanges all of them.",
    ),
)
def gram(answer: Any) -> None:
    """For each of B sets of k rows, [B, k, D], all products of two rows: [B, k, k]."""
    rows = 1 + torch.randn(2, 4, 3)
    got, right = numbers(ask(answer, rows)), _products(rows)
    slips = {
        "these are products of columns, [B, D, D]: the other factor has to be transposed.": _products(rows.mT),
        "these are products of the rows less their mean; here the rows stay as they are.": _products(
            rows - rows.mean(1, keepdim=True)
        ),
        "the sets are added up: the batch has to stay the first axis.": right.sum(0),
        "these are the products of each row with itself alone.": right.diagonal(dim1=1, dim2=2),
        "this is divided by the number of coordinates; a product of rows is a sum.": right / 3,
    }
    same(got, right, slips=slips, otherwise="the shape is right, but entry (i, j) is not the product of rows i and j.")


@task(
    chapter=0,
    refresher=PCA,
    hints=(
        "an eigenvector keeps its direction under the matrix. The two eigenvalues add up to the trace.",
        "the two eigenvalues multiply to the determinant. Two numbers are known by their sum and their product.",
        "for each eigenvalue, solve (A - value · identity) v = 0: one of the two equations is enough. Then scale v.",
    ),
)
def eigen_by_hand(answer: Any) -> None:
    """Both eigenvalues [2] of `MATRIX`, larger first, and eigenvectors of length 1 as the rows of [2, 2]."""
    values, vectors = parts(ask(answer), "values", "vectors")
    shapes = list(values.shape), list(vectors.shape)
    law(
        shapes == ([2], [2, 2]), f"values should have shape [2], vectors [2, 2]; yours are {shapes[0]} and {shapes[1]}."
    )
    law(_near(values.sum(), MATRIX.trace()), "the two values should add up to the trace of the matrix; yours do not.")
    law(_near(values.prod(), torch.linalg.det(MATRIX)), "the two values should multiply to the determinant.")
    law(values[0] > values[1], "the values are right, but the larger one should come first.")
    law((vectors.norm(dim=1) > 1e-6).all(), "a vector of zeros solves the equation, and is no eigenvector.")
    if not _solves(values, vectors):
        law(not _solves(values, vectors.mT), "the vectors stand in the columns; here each row is to be a vector.")
        law(not _solves(values, vectors.flip(0)), "each of the vectors belongs to the other value.")
        law(False, "the values are right, but the matrix does not stretch your vectors by them: check a sign.")
    law(_near(vectors.norm(dim=1), torch.ones(2)), "the vectors point the right way, but they are not of length 1.")


@task(
    chapter=0,
    refresher=PCA,
    hints=(
        "how far does a vector reach along the direction? That is one number for each vector: a scalar product.",
        "the projection is that number times the direction. What if the direction were twice as long?",
        "then the number and the direction would both double. Divide by what makes up for both.",
    ),
)
def projection(answer: Any) -> None:
    """The projections [B, D] of vectors [B, D] on the line along a direction [D] of any length."""
    vectors, direction = torch.randn(5, 3), torch.tensor([1.0, -2.0, 2.0])
    got, size = numbers(ask(answer, vectors, direction)), 3.0
    right = TangentSpace.from_basis(torch.zeros(5, 3), direction.expand(5, 1, 3)).tangent_part(vectors)
    law(got.shape not in ((5,), (5, 1)), "these are coefficients, one for each vector: they still need a direction.")
    slips = {
        "this is right for directions of length 1, and this one is longer.": size**2 * right,
        "the direction occurs twice, and you divided by its length only once.": size * right,
        "this is the part at right angles to the direction: what the projection leaves over.": vectors - right,
        "the roles are exchanged: here the direction is projected on each vector.": TangentSpace.from_basis(
            torch.zeros(5, 3), vectors[:, None]
        ).tangent_part(direction.expand(5, 3)),
        "you divided by the length of each vector; the length that matters is the direction's.": (
            size**2 * right / vectors.square().sum(1, keepdim=True)
        ),
    }
    same(got, right, slips=slips, otherwise="each result should lie on the line, and the rest at right angles to it.")


@task(
    chapter=0,
    refresher=PCA,
    hints=(
        "principal directions describe how points differ from their mean. What has to happen to the points first?",
        "the covariance matrix [D, D] is made of products of columns; its eigenvectors are the principal directions.",
        "`torch.linalg.eigh` returns the smallest eigenvalue first, and the eigenvectors as columns.",
    ),
)
def principal_direction(answer: Any) -> None:
    """The direction [D], of length 1 and either sign, along which points [N, D] vary most."""
    points = torch.randn(40, 3) * torch.tensor([1.0, 2.0, 0.5]) @ torch.tensor(
        [[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]
    ) + torch.tensor([2.0, 1.0, 3.0])
    got = numbers(ask(answer, points))
    right = local_tangent(points.mean(0, keepdim=True), points, n_neighbors=40, rank=1).basis[0, 0]
    law(got.shape == (3,), f"one direction is wanted, of shape [3]; yours is {list(got.shape)}.")
    law(got.norm() > 1e-6, "this is the zero vector, which has no direction.")
    vectors = torch.linalg.eigh(points.T.cov()).eigenvectors
    slips = {
        "you forgot to subtract the mean of the points.": torch.linalg.svd(points).Vh[0],
        "this is the direction of least variance: look at the order of the eigenvalues.": vectors[:, 0],
        "this is a row of the matrix of eigenvectors, which stand in its columns.": vectors[-1],
        "this is the direction of the mean, which says nothing of how points differ from it.": points.mean(0),
    }
    wrong = {slip: line(vector) for slip, vector in slips.items()}
    same(line(got), line(right), slips=wrong, otherwise="another direction holds more of the variance than this one.")
    law(_near(got.norm(), torch.ones(())), "the direction is right, but its length is not 1.")


def _products(rows: Float[Tensor, "b k d"]) -> Float[Tensor, "b k k"]:
    """x · y = (‖x‖² + ‖y‖² - ‖x - y‖²) / 2."""
    squares = rows.square().sum(2)
    return (squares[:, :, None] + squares[:, None] - squared_distances(rows, rows)) / 2


def _solves(values: Float[Tensor, " 2"], vectors: Float[Tensor, "2 2"]) -> bool:
    """Whether A v = value · v for both rows."""
    return _near(vectors @ MATRIX, values[:, None] * vectors)


def _near(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() < 1e-3 * (1 + b.abs().max()))
