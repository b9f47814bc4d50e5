"""The tasks of the first lab: a nearest neighbour, a choice of ten, what a lucky choice keeps; two predictions."""

from __future__ import annotations

import functools
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.baselines.real_images import random_real
from mgd_helpers.data import Dataset, load_data
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.linalg import nearest

DRAWS, TEN = 200, 10
QUESTION = "Ten images for a thousand"

mean_images = Prediction("mean_images", low=0, high=1, near=0.02)
mean_of_fifty = Prediction("mean_of_fifty", low=0, high=1, near=0.02)


@task(
    chapter=1,
    refresher=f"{QUESTION}, section 'The cheapest student'",
    hints=(
        "which row of the set is nearest to each query? A table of all distances has a row for each query.",
        "the position of the smallest entry of a row is its `argmin`. What is wanted is not the position.",
        "index the labels of the set by these positions.",
    ),
)
def nearest_label(answer: Any) -> None:
    """The labels [q] that a nearest neighbour gives to queries [q, D], from a set [n, D] with labels [n]."""
    points, labels, queries = torch.randn(9, 3), torch.arange(9) % 4 + 3, torch.randn(20, 3)
    distances = torch.cdist(queries, points)
    rows = nearest(queries, points, n_neighbors=1)[:, 0]
    slips = {
        "this is the position in the set, not the label that stands there.": rows,
        "this is the label of the farthest image.": labels[distances.argmax(1)],
        "the smallest entry is looked for along the wrong axis: every query needs a neighbour in the set.": labels[
            distances.argmin(0) % len(labels)
        ],
        "every query gets the label that is most frequent in the set.": labels.mode().values.expand(20),
        "nearness is not the scalar product: a long vector is near to all.": labels[(queries @ points.T).argmax(1)],
    }
    got = numbers(ask(answer, queries, points, labels))
    same(got, labels[rows], slips=slips, otherwise="these are not the labels of the nearest images.")


@functools.lru_cache(maxsize=1)
def _digits() -> tuple[Dataset, Float[Tensor, " draws"]]:
    """The digits, and what a nearest neighbour learns from random choices of ten per class, draw by draw."""
    data = load_data("digits")
    draws = [random_real(data.train, images_per_class=TEN, seed=draw) for draw in range(DRAWS)]
    return data, torch.tensor([nearest_neighbor_accuracy(images, data.test) for images in draws])


@task(
    chapter=1,
    refresher=f"{QUESTION}, section 'Which ten?'",
    hints=(
        "ten images that look alike say the same thing ten times. What would ten useful ones have in common?",
        "start with one typical image. Which image is worst served by those that you have?",
        "add the image whose nearest chosen image is farthest away, nine times: every kind of image finds a neighbour.",
    ),
)
def choose_ten(answer: Any) -> None:
    """Ten different rows of the images [n, D] of one class, by a rule that is better than chance."""
    data, draws = _digits()
    rows = []
    for label in range(len(data.class_names)):
        of_class = data.train.of_class(label).flatten(1)
        chosen = numbers(ask(answer, of_class))
        law(list(chosen.shape) == [TEN], f"ten rows are wanted; yours have shape {list(chosen.shape)}.")
        law(
            bool((chosen == chosen.round()).all() and chosen.min() >= 0 and chosen.max() < len(of_class)),
            f"rows are whole numbers from 0 to {len(of_class) - 1}.",
        )
        law(len(chosen.unique()) == TEN, "the same image is chosen twice: ten different ones are wanted.")
        rows.append(data.train.rows_of(label)[chosen.long()])
    score = nearest_neighbor_accuracy(data.train.take(torch.cat(rows)), data.test)
    beaten = int((draws < score).sum())
    law(
        beaten > DRAWS // 2,
        f"your choice is better than {beaten} of {DRAWS} random ones; a rule should beat more than half of them.",
    )


@task(
    chapter=1,
    refresher=f"{QUESTION}, section 'Luck is part of every number'",
    hints=(
        "one half of the images decides which draw looks best; the other half has had no say in it.",
        "find the position of the best draw on the first half. Read both halves at this position.",
        "`argmax` gives the position; promised is the first half's value there, kept the second half's.",
    ),
)
def promised_and_kept(answer: Any) -> None:
    """Of the draw that is best on the first half, the accuracy there and on the second half; [draws] each."""
    first = 0.8 + 0.05 * torch.randn(60)
    second = 0.8 + 0.05 * torch.randn(60)
    ends = parts(ask(answer, first, second), "promised", "kept")
    law(all(end.numel() == 1 for end in ends), "promised and kept should be one number each.")
    got, best = torch.cat([end.flatten() for end in ends]), int(first.argmax())
    slips = {
        "each half has chosen its own best: the second should have no say.": [
            first.max(),
            second.max(),
        ],
        "this is the mean of all draws, not the one that looked best.": [first.mean(), second.mean()],
        "promised and kept are exchanged.": [second[best], first[best]],
        "the second half has chosen, and the first is asked to keep it.": [second.max(), first[second.argmax()]],
        "this is the draw that looked worst.": [first.min(), second[first.argmin()]],
        "these are the same half twice.": [first[best], first[best]],
    }
    same(
        got,
        torch.stack([first[best], second[best]]),
        slips={slip: torch.stack([torch.as_tensor(one) for one in wrong]) for slip, wrong in slips.items()},
        otherwise="these are not the two values of the draw that is best on the first half.",
    )
