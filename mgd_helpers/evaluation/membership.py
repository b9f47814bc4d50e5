"""Does a set give away which images it was made from? The membership-inference attack of Yeom et al. (2018).

score(x, y) = -(mean over students of the cross-entropy at x, y); the AUC says how well it tells members from others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.evaluation.intervals import Interval, auc
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.students.training import train_student


def membership_auc(
    generated: ImageSet, data: Dataset, *, members: Int[Tensor, " k"], students: int, recipe: Recipe, seed: int = 0
) -> tuple[float, Interval]:
    """AUC of the attack through students of `generated`, and its interval: rows `members` of the training split.

    `audits.audit` checks the arguments and says what the AUC means. All images lie on one device.
    """
    trained = [
        train_student(generated, generated.labels, n_classes=len(data.class_names), recipe=recipe, seed=seed + student)
        for student in range(students)
    ]
    train, test = (-torch.stack([_losses(part, one) for one in trained]).mean(0) for part in (data.train, data.test))
    return auc(train[members], test, seed=seed)


@torch.no_grad()
def _losses(part: ImageSet, student: nn.Module) -> Float[Tensor, " n"]:
    batches = zip(part.batches(500), part.labels.split(500), strict=True)
    return torch.cat([F.cross_entropy(student(x), y, reduction="none") for x, y in batches]).cpu()
