"""Rows held back for testing, class by class, where a data set has no test split of its own."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Int, Tensor


def split_rows(
    labels: Any, share: float | Real, seed: int | Integral = 0
) -> tuple[Int[Tensor, " train"], Int[Tensor, " held"]]:
    """The rows to train on and those held back, both ascending: of each class the `share`, rounded, drawn by `seed`.

    A class of two images or more has at least one on either side; the only image of a class is trained on. What is
    drawn in a class does not depend on the others.

    >>> train, held = split_rows([0, 0, 0, 0, 0, 1, 1, 2], 0.2)
    >>> len(train), len(held)
    (6, 2)
    """
    share, seed = arguments.number("share", share, above=0, below=1), arguments.whole("seed", seed, at_least=0)
    labels = torch.as_tensor(labels)
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero()[:, 0]
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        held[rows[torch.randperm(len(rows), generator=seeding.generator(seed, label))[:count]]] = True
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]
