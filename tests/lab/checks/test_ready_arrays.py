"""The first six tasks: planted slips are told apart, each by its own sentence; other right ways pass."""

import numpy as np
import pytest
import torch
from readers import CELLS, told

from mgd_helpers.lab import checks
from mgd_helpers.lab.checks import ready_arrays

ROOT5 = 5**0.5


def centered(points):
    return points - points.mean(0)


def main_axis(rows):
    return torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1]


SLIPS = [  # (task, answer, part of the sentence)
    ("pairwise", lambda p, c: torch.cdist(p, c), "not squared|no root"),
    ("pairwise", lambda p, c: torch.cdist(c, p) ** 2, "exchanged"),
    ("pairwise", lambda p, c: ((p[:, None] - c) ** 2).mean(-1), "averaged over the coordinates"),
    ("pairwise", lambda p, c: (p[:, None] - c) ** 2, "for each coordinate is left"),
    ("pairwise", lambda p, c: (p[:, None] - c).sum(-1) ** 2, "signs cancel"),
    ("pairwise", lambda p, c: p @ c.T, "no squared distances"),
    ("pairwise", lambda p, c: ((p - c[:4]) ** 2).sum(1), r"shape should be \[4, 5\]; yours has shape \[4\]"),
    ("pairwise", lambda p, c: (p - c) ** 2, "raised RuntimeError: The size of tensor"),
    ("class_mean", lambda r, labels, n: r.mean(0), "labels do nothing"),
    ("class_mean", lambda r, labels, n: r[labels != n].mean(0), "upside down"),
    ("class_mean", lambda r, labels, n: (r * (labels == n)[:, None]).mean(0), "number of all rows"),
    ("class_mean", lambda r, labels, n: r[labels == n].sum(0), "not yet their mean"),
    ("class_mean", lambda r, labels, n: r[labels == n].mean(1), "not over the columns"),
    ("class_mean", lambda r, labels, n: r[labels == n].mean(), "this is one number"),
    ("class_mean", lambda r, labels, n: r[labels == n], r"shape should be \[4\]"),
    ("class_mean", lambda r, labels, n: r[labels == 0].mean(0), "lie around their mean"),
    ("gram", lambda r: r.mT @ r, "products of columns"),
    ("gram", lambda r: torch.cov(r[0])[None].repeat(2, 1, 1), "not the product of rows"),
    ("gram", lambda r: (r - r.mean(1, keepdim=True)) @ (r - r.mean(1, keepdim=True)).mT, "less their mean"),
    ("gram", lambda r: (r @ r.mT).sum(0), "batch has to stay"),
    ("gram", lambda r: (r * r).sum(-1), "with itself alone"),
    ("gram", lambda r: (r @ r.mT) / r.shape[-1], "number of coordinates"),
    ("gram", lambda r: r[0] @ r[0].T, "shape should be"),
    ("eigen_by_hand", lambda: ([7, 1], [[2, 1], [-1, 2]]), "trace"),
    ("eigen_by_hand", lambda: ([5, 2], [[2, 1], [-1, 2]]), "determinant"),
    ("eigen_by_hand", lambda: ([1, 6], [[-1, 2], [2, 1]]), "larger one should come first"),
    ("eigen_by_hand", lambda: ([6, 1], [[0, 0], [0, 0]]), "zeros solves the equation"),
    ("eigen_by_hand", lambda: ([6, 1], [[2, -1], [1, 2]]), "stand in the columns"),
    ("eigen_by_hand", lambda: ([6, 1], [[-1, 2], [2, 1]]), "belongs to the other value"),
    ("eigen_by_hand", lambda: ([6, 1], [[2, 1], [1, 2]]), "check a sign"),
    ("eigen_by_hand", lambda: ([6, 1], [[2, 1], [-1, 2]]), "not of length 1"),
    ("eigen_by_hand", lambda: [6, 1], r"values should have shape \[2\]"),
    ("eigen_by_hand", lambda: 6, "should return values and vectors"),
    ("projection", lambda v, d: (v @ d)[:, None] * d, "right for directions of length 1"),
    ("projection", lambda v, d: (v @ d)[:, None] * d / d.norm(), "only once"),
    ("projection", lambda v, d: v @ d / d.norm(), "these are coefficients"),
    ("projection", lambda v, d: v - (v @ d)[:, None] * d / (d @ d), "projection leaves over"),
    ("projection", lambda v, d: (v @ d / (v * v).sum(1))[:, None] * v, "roles are exchanged"),
    ("projection", lambda v, d: (v @ d / (v * v).sum(1))[:, None] * d, "the direction's"),
    ("projection", lambda v, d: v, "should lie on the line"),
    ("principal_direction", main_axis, "forgot to subtract the mean"),
    ("principal_direction", lambda p: torch.linalg.eigh(p.T.cov()).eigenvectors[:, 0], "least variance"),
    ("principal_direction", lambda p: torch.linalg.eigh(p.T.cov()).eigenvectors[-1], "a row of the matrix"),
    ("principal_direction", lambda p: p.mean(0), "direction of the mean"),
    ("principal_direction", lambda p: 2 * main_axis(centered(p)), "length is not 1"),
    ("principal_direction", lambda p: torch.linalg.eigh(p.T.cov()).eigenvectors[:, 1], "holds more of the variance"),
    ("principal_direction", lambda p: torch.linalg.eigh(p.T.cov()).eigenvectors, r"of shape \[3\]"),
    ("principal_direction", lambda p: centered(p).mean(0) * 0, "no direction"),
]

RIGHT = [  # right in another way than the book's
    ("pairwise", lambda p, c: torch.cdist(p, c, compute_mode="donot_use_mm_for_euclid_dist") ** 2),
    ("pairwise", lambda p, c: ((p.numpy()[:, None] - c.numpy()) ** 2).sum(-1)),
    ("class_mean", lambda r, labels, n: [r[labels == n, column].mean() for column in range(r.shape[1])]),
    ("gram", lambda r: torch.einsum("bid,bjd->bij", r, r)),
    ("eigen_by_hand", lambda: (np.array([6.0, 1.0]), [[-2 / ROOT5, -1 / ROOT5], [-1 / ROOT5, 2 / ROOT5]])),
    ("projection", lambda v, d: torch.stack([row @ d / (d @ d) * d for row in v])),
    ("principal_direction", lambda p: -torch.linalg.svd(centered(p)).Vh[0]),
    ("principal_direction", lambda p: np.linalg.svd(np.cov(p.numpy().T))[0][:, 0]),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_matrix_of_the_fourth_task_is_the_one_in_the_lab():
    prose = next(cell.source for cell in CELLS if cell.id == "eigen_by_hand-why")
    rows = [" & ".join(f"{entry:g}" for entry in row) for row in ready_arrays.MATRIX.tolist()]
    assert r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}" in prose
