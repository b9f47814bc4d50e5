"""The tasks of lab 4: 2-means, the split law, a tree, how far targets reach, how sharp an image is; two predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering import bisect
from mgd_helpers.lab.checks.answers import Slip, ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, between, law
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.linalg import squared_distances

PAGE = "the page on targets"
TURNS = 12

left_by_levels = Prediction("left_by_levels", low=0, high=2, near=0.03)
edges_kept = Prediction("edges_kept", low=0, high=2, near=0.05)


@task(
    chapter=4,
    refresher=PAGE,
    hints=(
        "two steps: first every row takes a side, then every centroid moves. Which shape have all the distances?",
        "`torch.cdist(rows, centroids)` is [N, 2]; which of its two columns is smaller says the side of a row.",
        "start from `centroids.clone()`, and overwrite those centroids whose side has at least one row.",
    ),
)
def turn(answer: Any) -> None:
    """One turn of 2-means: the side of each row [N, D], and two centroids [2, D], moved to the means of the sides."""
    rows = 5 + torch.cat([torch.randn(30, 3), torch.randn(20, 3) + torch.tensor([3.0, 0.0, 0.0])])
    _one_turn(answer, rows, rows[:2].clone())
    lonely = torch.stack([rows.mean(0), rows.mean(0) + 100])
    try:
        side, moved = parts(ask(answer, rows, lonely), "side", "centroids")
    except Slip:
        raise Slip("one side may run empty, and the mean of no rows is no number: its centroid stays.") from None
    law(not side.any() and alike(moved[1], lonely[1]), "a side without rows should keep its centroid.")
    _never_rises(answer, torch.randn(80, 6) * torch.tensor([3.0, 2.0, 1.0, 1.0, 0.5, 0.5]))


def _one_turn(answer: Any, rows: Float[Tensor, "n d"], centroids: Float[Tensor, "2 d"]) -> None:
    side, moved = parts(ask(answer, rows, centroids), "side", "centroids")
    law(side.shape == (len(rows),), f"side should have shape [{len(rows)}]; yours has {list(side.shape)}.")
    law(((side == 0) | (side == 1)).all(), "each entry of side should be 0 or 1.")
    squares = squared_distances(rows, centroids).double()
    own = squares.gather(1, side.long()[:, None])[:, 0]
    law(not torch.equal(own, squares.amax(1)), "every row is on the side of the farther centroid.")
    wrong = int((own > squares.amin(1) + 1e-4).sum())
    law(wrong == 0, f"{wrong} of {len(rows)} rows are on the side of the farther centroid.")
    law(moved.shape == (2, 3), f"centroids should have shape [2, 3]; yours {list(moved.shape)}.")
    law(not alike(moved, centroids), "the rows took sides, but the centroids did not move.")
    law(not alike(moved[0], moved[1]), "both centroids are the same: each side has a mean of its own.")
    law(not _means(rows, side, moved.flip(0)), "the two centroids are exchanged: centroid 0 belongs to side 0.")
    halves = [rows[side == number] for number in (0, 1)]
    law(not alike(moved, torch.stack([half.sum(0) for half in halves])), "these are sums of rows, and not yet means.")
    law(_means(rows, side, moved), "each centroid should be the mean of the rows on its side.")


def _means(rows: Float[Tensor, "n d"], side: Float[Tensor, " n"], centroids: Float[Tensor, "2 d"]) -> bool:
    """Whether the rows of each side lie around its centroid: their deviations cancel."""
    rests = [(rows[side == number] - centroids[number]).sum(0) for number in (0, 1)]
    return bool(torch.stack(rests).abs().max() < 1e-2)


def _never_rises(answer: Any, rows: Float[Tensor, "n d"]) -> None:
    """The law of the whole: from turn to turn, rows come nearer to the centroids of their sides, or stay."""
    centroids, before = rows[:2].clone(), torch.inf
    for number in range(TURNS):
        side, moved = parts(ask(answer, rows, centroids), "side", "centroids")
        law(side.shape == (len(rows),) and moved.shape == centroids.shape, "the shapes change from call to call.")
        squares = squared_distances(rows, moved.to(rows))
        inertia = squares.gather(1, side.long().clamp(0, 1)[:, None]).sum().item()
        law(inertia <= before * (1 + 1e-5), f"the inertia rises in turn {number + 1}, and it never should.")
        centroids, before = moved.to(rows), inertia


@task(
    chapter=4,
    refresher=PAGE,
    hints=(
        "the left side is `tree.inertias[node]`. `tree.children[node]` has the two numbers that the right side needs.",
        "`tree.sizes` counts members, `tree.centroids` are the means. Nodes without children are leaves: skip them.",
        "three terms on the right: two inertias, and n_l n_r / (n_l + n_r) times a squared distance of centroids.",
    ),
)
def split_gaps(answer: Any) -> None:
    """For each split of a tree, in the order of its nodes, right side of the law over its left side, less 1."""
    tree = bisect(2 * torch.randn(60, 4) + 3, n_leaves=6)
    pairs = [(node, *pair) for node, pair in enumerate(tree.children) if pair]
    nodes, left, right = torch.tensor(pairs).T
    got = numbers(ask(answer, tree))
    law(got.shape != (len(tree),), "one number for each node is too many: leaves have no split.")
    law(got.shape == (5,), f"the shape should be [5], one number for each split of this tree; yours {list(got.shape)}.")
    parent = tree.inertias[nodes].double()
    inside = tree.inertias[left] + tree.inertias[right]
    gained, size = parent - inside, torch.tensor(tree.sizes)[nodes]
    apart = (tree.centroids[left] - tree.centroids[right]).norm(dim=1)
    slips = {
        "the term between the children is missing.": inside,
        "the distance of the centroids should be squared.": inside + gained / apart,
        "the product of the sizes is not divided by their sum.": inside + gained * size,
        "the product of the sizes is divided by their sum twice.": inside + gained / size,
        "the squared distance has no weight: the sizes play no part.": inside + apart**2,
        "the term between the children is subtracted; it belongs to the right side.": inside - gained,
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong / parent - 1, tolerance=1e-3), slip)
        law(not alike(got, 1 - wrong / parent, tolerance=1e-3), slip)
    law(not alike(got, torch.ones(5)), "this is the right side over the left side; take 1 away.")
    law(got.abs().max() < 1e-3, f"this tree obeys the law, and your gaps reach {got.abs().max():.2g}.")
    inertias = tree.inertias.clone()
    inertias[0] *= 1.25
    seen = numbers(ask(answer, replace(tree, inertias=inertias)))
    law(seen.shape == got.shape, "for another tree the shape changes.")
    law(seen[0].abs() > 1e-3, "one inertia of a tree was made a quarter too large, and your gaps do not see it.")
    law(not alike(seen[0], torch.tensor(0.2)), "the sign is exchanged: right side over left side, less 1.")
    law(not alike(seen[0], -inertias[0] / 5), "the difference is not divided by the left side.")
    law(not alike(seen[0], torch.tensor(-0.25)), "divide by the left side of the law, not by the right one.")
    law(alike(seen[0], torch.tensor(-0.2)), f"a left side too large by a quarter leaves -0.2; yours {seen[0]:.2g}.")


@task(
    chapter=4,
    refresher=PAGE,
    hints=(
        "keep a list of groups of row numbers, at first one group that holds all rows.",
        "choose the group of largest inertia, a sum; split its rows by `best_split`; put two groups in its place.",
        "row numbers of the halves: `group[side == 0]` and `group[side == 1]`. At the end, number the groups.",
    ),
)
def grow(answer: Any) -> None:
    """A tree grown from rows [N, D] by splitting the leaf of largest inertia: the number of its leaf for each row."""
    many = torch.cat([0.2 * torch.randn(120, 3), 2 * torch.randn(30, 3) + 30])
    law(_pieces(answer, many, 120) != [2, 1], "the leaf with the most members was split; it has not the most inertia.")
    wide = torch.cat([torch.randn(200, 3), 2 * torch.randn(12, 3) + 40])
    law(_pieces(answer, wide, 200) != [1, 2], "the leaf with the largest mean was split; the inertia is a sum.")
    rows = torch.randn(150, 8) * torch.tensor([4.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    labels = _labels(answer, rows, 10)
    yours = sum(_inertia(rows[labels == label]) for label in labels.unique())
    helper = bisect(rows, n_leaves=10)
    ratio = yours / helper.inertias[list(helper.leaves)].sum().item()
    why = "does each split take the best of a few starts of 2-means?"
    between(ratio, 0.9, 1.1, name="the inertia of your leaves, over that of mgd.bisect,", why=why)


def _labels(answer: Any, rows: Float[Tensor, "n d"], n_leaves: int) -> Float[Tensor, " n"]:
    labels = numbers(ask(answer, rows, n_leaves), "the labels")
    law(labels.shape == (len(rows),), f"one label for each row is wanted, [{len(rows)}]; yours {list(labels.shape)}.")
    found = len(labels.unique())
    law(found != n_leaves + 1, f"{n_leaves} leaves are wanted, and this tree has one more: the root counts as a leaf.")
    law(found == n_leaves, f"{n_leaves} leaves are wanted, and this tree has {found}.")
    return labels


def _pieces(answer: Any, rows: Float[Tensor, "n d"], first: int) -> list[int]:
    """Into how many leaves, of three, the first rows and the others fall."""
    labels = _labels(answer, rows, 3)
    return [len(half.unique()) for half in (labels[:first], labels[first:])]


def _inertia(rows: Float[Tensor, "n d"]) -> float:
    return rows.var(dim=0, correction=0).sum().item() * len(rows)


@task(
    chapter=4,
    refresher=PAGE,
    hints=(
        "how far is each row from each target? From that table, which number does a row need?",
        "the mean of the squared distances to the nearest target is the upper number of the share.",
        "the lower number is what a single target at the mean of all rows would leave.",
    ),
)
def uncovered(answer: Any) -> None:
    """The mean squared distance of rows [N, D] to their nearest target [K, D], as a share of that to their mean."""
    rows = torch.cat([torch.randn(40, 3) + 20 * torch.tensor(place) for place in ([0.0, 0, 0], [1, 0, 0], [0, 1, 0])])
    tree = bisect(rows, n_leaves=3)  # groups far apart: each row is nearest to the centroid of its own
    targets, total = tree.centroids[list(tree.leaves)], tree.inertias[0]
    right = (tree.inertias[list(tree.leaves)].sum() / total).double()
    got = _number(answer, rows, targets)
    squares, root = squared_distances(rows, targets), total / len(rows)
    slips = {
        "this is not divided yet: a share of what the mean alone leaves is wanted.": right * root,
        "these are sums over rows in the upper number, and a mean in the lower one.": right * len(rows),
        "these are distances, and squared distances are wanted.": squares.amin(1).sqrt().mean() / root,
        "distances are not squared, neither above nor below.": squares.amin(1).sqrt().mean()
        / squared_distances(rows, rows.mean(0, keepdim=True)).sqrt().mean(),
        "this takes the farthest target of each row.": squares.amax(1).mean() / root,
        "this is the mean over all targets; a row needs the nearest one alone.": squares.mean() / root,
        "this asks for the nearest row of each target, and not the reverse.": squares.amin(0).mean() / root,
        "this is the share that is covered; what is left is wanted.": 1 - right,
        "a root is taken of the share; it stays squared.": right.sqrt(),
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong.double(), tolerance=1e-3), slip)
    alone = _number(answer, rows, rows.mean(0, keepdim=True))
    law(abs(alone - 1) < 1e-3, f"one target at the mean of all rows leaves 1, all there is; yours {alone:.3g}.")
    law(alike(got, right, tolerance=1e-3), "for one target in each of three groups, this is not what is left.")
    more = torch.cat([targets, targets[:1] + 500])
    law(_number(answer, rows, more) <= got * (1 + 1e-4), "one target more, however far away, should not make it worse.")


@task(
    chapter=4,
    refresher=PAGE,
    hints=(
        "`images[..., 1:]` and `images[..., :-1]` are the right and the left neighbours, along the last axis.",
        "the same along the axis before the last: `images[..., 1:, :]` and `images[..., :-1, :]`.",
        "square, take the mean over everything, and add the two directions.",
    ),
)
def edge_strength(answer: Any) -> None:
    """The mean squared difference of neighbouring pixels of images [N, C, H, W], across plus down: one number."""
    noise, stripes = torch.randn(2, 1, 8, 8), torch.arange(8.0).remainder(2).expand(1, 1, 8, 8)
    step = (torch.arange(8.0) > 3).float().expand(1, 1, 8, 8)  # one edge, from dark to bright
    got = _number(answer, noise)
    law(abs(_number(answer, noise + 1) - got) < 1e-3 * abs(got) + 1e-6, "brighter images have no stronger edges.")
    twice = _number(answer, torch.cat([noise, noise]))
    law(not alike(twice, 2 * got, tolerance=1e-3), "two copies of the images give twice as much: take means, not sums.")
    double = _number(answer, 2 * noise)
    law(not alike(double, 2 * got, tolerance=1e-3), "twice the contrast should give four times as much, not twice.")
    across, down = _number(answer, stripes), _number(answer, stripes.mT)
    law(abs(across - down) < 1e-3, "stripes give another number when they are turned: both directions count.")
    law(across > 1e-3, "stripes of one pixel give zero: compare each pixel with the next one, not with the one after.")
    law(abs(across - 0.5) > 1e-3, "the two directions are averaged; add them.")
    edge = _number(answer, step)
    law(abs(edge - 0.25) > 1e-3, "the last pixel is compared with the first: there are only 7 neighbours in 8 pixels.")
    right = alike(torch.stack([across, edge]), torch.tensor([1.0, 1 / 7]), tolerance=1e-3)
    law(right and alike(double, 4 * got, tolerance=1e-3), "this is not the mean squared difference.")


def _number(answer: Any, *given: Tensor) -> Float[Tensor, ""]:
    got = numbers(ask(answer, *given))
    law(got.numel() == 1, f"one number is wanted; yours has shape {list(got.shape)}.")
    return got.squeeze()
